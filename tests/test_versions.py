"""What other versions rely on: the schema of the files, and the names that stay importable."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.support.tiny import configuration
from vmsbench.errors import UserError
from vmsbench.experiment import config_hash, run
from vmsbench.files import read_json, save_json
from vmsbench.versions import PUBLIC, SCHEMA, check_schema, commit, described


@pytest.mark.parametrize("name", PUBLIC.values())
def test_every_public_name_can_be_imported(name: str) -> None:
    """As pickle and Python do it: a module, or something of a module."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, thing = name.rpartition(".")
        assert callable(getattr(importlib.import_module(module), thing))


def test_the_public_loader_module_has_what_mlflow_calls() -> None:
    assert callable(importlib.import_module(PUBLIC["MLflow model"])._load_pyfunc)


def test_the_schema_is_no_part_of_a_configurations_name() -> None:
    config = configuration()
    assert config_hash(config) == config_hash(config | {"schema": SCHEMA}) == config_hash(config | {"schema": 9})


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({}, "has no schema: .* written by a version of vmsbench before 0.2"),
        ({"schema": "1"}, "has no schema"),
        ({"schema": True}, "has no schema"),
        ({"schema": SCHEMA + 1}, f"has schema {SCHEMA + 1}, this vmsbench reads {SCHEMA}: it was written by a newer"),
        ({"schema": 0}, "written by an older vmsbench, which reads it"),
    ],
)
def test_another_schema_is_refused_in_one_line_that_says_who_reads_it(found: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as raised:
        check_schema(found, Path("sweep.json"))
    assert "\n" not in str(raised.value)
    check_schema({"schema": SCHEMA}, Path("sweep.json"))


@pytest.mark.parametrize("file", ["config.json", "results.json"])
@pytest.mark.parametrize("schema", [None, SCHEMA + 1])
def test_an_experiment_is_not_run_in_a_folder_of_another_schema(file: str, schema: int | None, tmp_path: Path) -> None:
    config = configuration()
    save_json(tmp_path / "config.json", {"schema": SCHEMA} | config)
    other = {} if schema is None else {"schema": schema}
    save_json(tmp_path / file, {k: v for k, v in config.items() if k != "schema"} | other)
    before = (tmp_path / file).read_bytes()
    with pytest.raises(UserError, match=rf"{file} has (no )?schema"):
        run(config, tmp_path)
    assert (tmp_path / file).read_bytes() == before


def test_an_experiment_says_its_schema_in_what_it_writes(tmp_path: Path) -> None:
    run(configuration(), tmp_path)
    assert read_json(tmp_path / "config.json")["schema"] == read_json(tmp_path / "results.json")["schema"] == SCHEMA


def test_a_git_that_could_not_be_asked_once_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = commit()
    described.cache_clear()
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        assert commit() is None
    assert commit() == before
