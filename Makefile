# make demo: install, then `vmsbench demo` on synthetic data.   make test: install, then all that CI runs.
# make study VMSBENCH_DATA=FOLDER: every family on VISCHEMA PLUS (docs/study.md); hours, continued by the same line.
# make quick LOWEST=1: the quick tests on the lowest versions that pyproject.toml allows, in a new .venv.

PYTHON ?= python3
LOWEST ?=
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install demo study test quick docs clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than 3.11; make PYTHON=python3.11 install"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV): about 6 GB, 4 minutes"
ifdef LOWEST
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --resolution lowest-direct -e '.[test]'
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
endif
	@touch $@

demo: install
	$(BIN)/vmsbench demo

study: install
	VMSBENCH=$(BIN)/vmsbench sh reports/study/run.sh

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

quick: install
	$(BIN)/python -m pytest -m "not slow"

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "open site/index.html"

clean:
	rm -rf $(VENV) runs reports/demo site
