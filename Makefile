# make demo: install, then `vmsbench demo` on synthetic data.   make test: install, then all that CI runs.
# make test WORKERS=1: in one process; by default two share the tests.
# make study VMSBENCH_DATA=FOLDER: every family on VISCHEMA PLUS (docs/study.md); hours, continued by the same line.
# make quick: the tests that take less than half a second, in a minute and a half.
# make test-versions LOWEST=1: all but the slow tests on the lowest versions that pyproject.toml allows, in a new .venv.
# make test-versions NEWEST=1: the same on the newest versions there are, without constraints.txt.
# make install TORCH=cpu: PyTorch without CUDA, about 5 GB less, of an index that has such wheels (CPU_INDEX=URL; PyPI has none).
# make system-packages: as root, the Debian packages without which some tests are skipped: Slurm, Chromium, LaTeX.
# make test-cluster, test-kills, test-nightly: as root, the tests of every way in which a job can end, of twenty kills of a
# sweep, and the further cases of what make test tests a few of. They run each night, into reports/reliability.md; some
# of them by ONLY='-k soak' (faults at random for half an hour) or ONLY=tests/slurm/ends.
# make test-random EXAMPLES=2000: so many random data folders, of which make test reads sixty; each night too.

PYTHON ?= python3
WORKERS ?= 2
LOWEST ?=
NEWEST ?=
TORCH ?=
EXAMPLES ?= 2000
ONLY ?=
export ONLY
CPU_INDEX ?= https://download.pytorch.org/whl/cpu
VENV := .venv
BIN := $(VENV)/bin

pinned = $(shell sed -n 's/^$(1)==//p' constraints.txt)
CPU_WHEELS = torch==$(call pinned,torch)+cpu torchvision==$(call pinned,torchvision)+cpu

.PHONY: install system-packages demo study test quick test-versions test-cluster test-kills test-nightly test-random test-times constraints docs clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than 3.11; make PYTHON=python3.11 install"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifeq ($(TORCH),cpu)
	@echo "installing PyTorch for CPUs alone into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --extra-index-url $(CPU_INDEX) $(CPU_WHEELS) || \
	  { echo "error: no $(CPU_WHEELS) in $(CPU_INDEX); leave out TORCH=cpu, or name another index by CPU_INDEX=URL"; exit 2; }
else
	@echo "installing into $(VENV): about 7 GB, 3 to 5 minutes"
endif
ifdef LOWEST
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --resolution lowest-direct -e '.[test]'
else ifdef NEWEST
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade -e '.[test]'
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
endif
	@touch $@

system-packages:
	@$(PYTHON) -m tests.support.system_packages

demo: install
	$(BIN)/vmsbench demo

study: install
	VMSBENCH=$(BIN)/vmsbench sh reports/study/run.sh

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses $(WORKERS)

quick: install
	$(BIN)/python -m pytest -m "not slow and not nightly and not longer" --numprocesses $(WORKERS) --durations 5 --durations-min 0.5

test-versions: install
	$(BIN)/python -m pytest -m "not slow and not nightly" --numprocesses $(WORKERS)

test-cluster test-kills test-nightly: install
	$(BIN)/python -m tests.support.reliability $(@:test-%=%) reports/reliability.md

test-random: install
	VMSBENCH_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest --quiet tests/data/test_random_folders.py

test-times: install
	$(BIN)/python -m tests.support.cpu_times reports/tests.md tests/longer.txt -q -m "not slow and not nightly"

constraints:
	$(PYTHON) -m tests.support.constraints constraints.txt

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "open site/index.html"

clean:
	rm -rf $(VENV) runs reports/demo site
