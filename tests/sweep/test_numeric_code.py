"""A sweep continues with the numeric code that it was started with, or with other code that its user accepts."""

import os
from pathlib import Path

import pytest

import vmsbench
from tests.support.command_line import called, refused
from tests.support.processes.commands import a_command
from tests.support.sweep_maker import make_sweep
from vmsbench.errors import UserError
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.sweep.origin import numeric_code
from vmsbench.sweep.origin.numeric_code import check_code
from vmsbench.versions import code_by_file

SMALL = ["data=standin", "data.count=40", "data.size=32", "preset=quick", "tracker=none", "finals.top=0"]
CHANGED = {"models/unet.py": "0", "torch": "9.9"}


def with_code(folder: Path, code: dict[str, str] | None) -> Path:
    there = SweepFolder(folder)
    about = there.about()
    there.write_about(
        {name: value for name, value in about.items() if name != "code"} | ({"code": code} if code else {})
    )
    return folder


def test_the_same_code_and_a_sweep_of_unknown_code_continue(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, "gan", seeds=1)
    before = (sweep / "journal.jsonl").read_text()
    for code in (None, code_by_file()):
        check_code(with_code(sweep, code), accept=False)
        check_code(with_code(sweep, code), accept=True)
    assert (sweep / "journal.jsonl").read_text() == before


def test_other_code_is_refused_naming_its_files_until_it_is_accepted(tmp_path: Path) -> None:
    sweep = with_code(make_sweep(tmp_path, "gan", seeds=1), code_by_file() | CHANGED)
    with pytest.raises(UserError, match=r"gan was .* other code: models/unet\.py, torch differ; --accept-code"):
        check_code(sweep, accept=False)
    check_code(sweep, accept=True)
    assert list(SweepFolder(sweep).journal.events())[-1]["files"] == ["models/unet.py", "torch"]
    check_code(sweep, accept=False)


def test_many_files_are_counted(tmp_path: Path) -> None:
    sweep = with_code(make_sweep(tmp_path, "gan", seeds=1), dict.fromkeys(code_by_file(), "0"))
    with pytest.raises(UserError, match=rf" and {len(code_by_file()) - 5} more differ"):
        check_code(sweep, accept=False)


def test_a_submission_is_refused_where_its_job_would_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_command(tmp_path / "bin", "sbatch", "touch submitted; echo 12")
    a_command(tmp_path / "bin", "srun", "true")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with_code(make_sweep(tmp_path / "runs", "gan", seeds=1), code_by_file() | CHANGED)
    asked = ("tune", "--exp", "gan", "data=standin", "launcher=slurm", "launcher.gpus=0")
    refused(called(*asked), "gan was started with other code: models/unet.py, torch differ; --accept-code")
    before = (tmp_path / "runs" / "gan" / "journal.jsonl").read_text()
    assert "#SBATCH" in called(*asked, "--accept-code", "--print").out
    assert (tmp_path / "runs" / "gan" / "journal.jsonl").read_text() == before, "the job records it"
    assert not (tmp_path / "submitted").exists()


@pytest.mark.slow
def test_finals_under_other_code_are_refused_and_the_report_says_what_was_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    space = "space.parameters=[{param:model.network.width,values:[4]}]"
    vmsbench.tune("unet", *SMALL, space, epochs=1, quiet=True)
    monkeypatch.setattr(numeric_code, "code_by_file", lambda: code_by_file() | CHANGED)
    with pytest.raises(UserError, match="models/unet"):
        vmsbench.final("unet", top=1, seeds=1, quiet=True)
    assert vmsbench.tune("unet", *SMALL, space, epochs=1, quiet=True).finished, "what is finished trains nothing"
    assert vmsbench.final("unet", top=1, seeds=1, quiet=True, accept_code=True).finished
    assert "changed during the sweep (--accept-code)" in vmsbench.report("unet").page.read_text()
