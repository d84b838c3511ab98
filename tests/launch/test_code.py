"""The code of a submission: one archive per version, which jobs run whatever becomes of the checkout."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes.supervised import STUCK, supervised
from vmsbench.errors import UserError
from vmsbench.launch.allocation import Allocation
from vmsbench.launch.code import archive
from vmsbench.launch.code.archive import archived, remove_unpacked, running, unpacked
from vmsbench.launch.worker import Worker
from vmsbench.store.job_events import note, notes
from vmsbench.versions import PUBLIC

ROOT = Path(__file__).parents[2]
SLURM = {"_target_": PUBLIC["Slurm launcher"]}


def python(program: str, code: Path | None, cwd: Path, **more: str) -> str:
    environment = os.environ | dict(running(code)) | more
    done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_equal_code_is_one_small_archive_that_works_by_itself(tmp_path: Path) -> None:
    version = archived(tmp_path)
    assert archived(tmp_path) == version
    (file,) = (tmp_path / "code").iterdir()
    assert file.stat().st_size <= 2_000_000
    code = unpacked(tmp_path, version)
    assert code == unpacked(tmp_path, version)
    program = (
        "import json; from vmsbench.config.compose import compose; from vmsbench.config.plugins import conf_folder\n"
        "from vmsbench.versions import code_version, commit\n"
        "print(json.dumps([str(conf_folder()), compose('gan', []), code_version(), commit()]))"
    )
    here = json.loads(python(program, None, ROOT, PYTHONPATH=str(ROOT)))
    there = json.loads(python(program, code, tmp_path))
    assert there[0] == str(tmp_path / "code" / version / "conf")
    assert there[1:] == here[1:]


def test_the_code_of_the_submission_wins_over_that_of_the_current_folder_and_of_the_environment(tmp_path: Path) -> None:
    code = unpacked(tmp_path, archived(tmp_path))
    for place in ("current", "installed"):
        (tmp_path / place / "vmsbench").mkdir(parents=True)
        (tmp_path / place / "vmsbench" / "__init__.py").write_text("raise RuntimeError('edited meanwhile')\n")
    (tmp_path / "current" / "mine.py").write_text("")
    program = "import vmsbench, mine; print(vmsbench.__file__)"
    cwd = tmp_path / "current"
    more = {"PYTHONPATH": f"{code}{os.pathsep}{tmp_path / 'installed'}{os.pathsep}{cwd}"}
    assert python(program, code, cwd, **more).strip() == f"{code}/vmsbench/__init__.py"


def test_what_is_unpacked_goes_and_the_archive_stays(tmp_path: Path) -> None:
    version = archived(tmp_path)
    unpacked(tmp_path, version)
    remove_unpacked(tmp_path)
    assert [file.name for file in (tmp_path / "code").iterdir()] == [f"{version}.zip"]
    assert unpacked(tmp_path, version) is not None
    assert running(None) == {}


def test_an_archive_that_is_gone_or_damaged_is_one_line(tmp_path: Path) -> None:
    version = archived(tmp_path)
    file = tmp_path / "code" / f"{version}.zip"
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(UserError, match=rf"{version}\.zip.* is damaged .*: put it back, or submit the sweep again"):
        unpacked(tmp_path, version)
    file.unlink()
    with pytest.raises(UserError, match=rf"{version}\.zip.* is gone: put it back, or submit the sweep again"):
        unpacked(tmp_path, version)
    assert [one.name for one in (tmp_path / "code").iterdir()] == []


def test_a_folder_that_is_removed_is_not_taken_for_the_code_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = unpacked(tmp_path, archived(tmp_path))
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # as one that was killed
    remove_unpacked(tmp_path)
    assert not place.exists()
    assert (unpacked(tmp_path, place.name) / "vmsbench" / "__init__.py").is_file()


def test_only_the_code_of_sweeps_is_left_out_of_pythonpath(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, other = (unpacked(tmp_path / name, archived(tmp_path / name)) for name in ("here", "there"))
    own = [str(tmp_path / place) for place in ("code", "code/mine", "code/mine/src", "src/code")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(other), *own, str(code)]))
    assert running(code)["PYTHONPATH"].split(os.pathsep)[:5] == [str(code), *own]


def test_code_that_is_too_large_is_refused_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST", 1000)
    with pytest.raises(UserError, match=r"take .* MB .*, at most 0\.001 MB are kept: move what is not code out of"):
        archived(tmp_path)
    assert list((tmp_path / "code").iterdir()) == []


def test_a_job_and_its_requeues_run_the_code_of_its_first_start(tmp_path: Path) -> None:
    says = f'python3 -c \'import os; print("runs", os.environ["PYTHONPATH"].split(":")[0])\'; {STUCK}'
    first, _ = supervised(tmp_path, says, {})
    sweep = tmp_path / "runs" / "gan"
    (version,) = {line["archive"] for line in notes(sweep) if line["event"] == "began"}
    assert f"runs {sweep / 'code' / version}" in first, first
    shutil.copy(sweep / "code" / f"{version}.zip", sweep / "code" / "submitted.zip")
    text = (sweep / "jobs.jsonl").read_text().replace(version, "submitted")
    (sweep / "jobs.jsonl").write_text(text)
    again, _ = supervised(tmp_path, says, {})
    assert f"runs {sweep / 'code' / 'submitted'}" in again, "as it was noted, not as it is now"
    shutil.rmtree(sweep / "code" / "submitted")
    (sweep / "code" / "submitted.zip").unlink()
    without, _ = supervised(tmp_path, says, {})
    assert "runs " not in without
    assert "submitted.zip, the code that this job was submitted with, is gone" in without
    assert notes(sweep)[-1]["code"] == 2


def test_a_continuation_runs_the_code_that_it_was_submitted_with(tmp_path: Path) -> None:
    says = f'python3 -c \'import os; print("runs", os.environ["PYTHONPATH"].split(":")[0])\'; {STUCK}'
    first, _ = supervised(tmp_path, says, {"VMSBENCH_MOST_TIME": "1-0"})
    assert "continues as job 55" in first, first
    sweep = tmp_path / "runs" / "gan"
    (line,) = (line for line in notes(sweep) if line.get("after") == "4")
    shutil.copy(sweep / "code" / f"{line['archive']}.zip", sweep / "code" / "noted.zip")
    text = (sweep / "jobs.jsonl").read_text().splitlines()
    (sweep / "jobs.jsonl").write_text(
        "".join(one.replace(line["archive"], "noted" if '"after"' in one else "other") + "\n" for one in text)
    )
    then, _ = supervised(tmp_path, says, {"SLURM_JOB_ID": "55"})
    assert f"runs {sweep / 'code' / 'noted'}" in then, then


def test_a_worker_that_comes_later_runs_the_code_of_the_job_that_drives_then(tmp_path: Path) -> None:
    version = archived(tmp_path)
    shutil.copy(tmp_path / "code" / f"{version}.zip", tmp_path / "code" / "later.zip")
    worker = Worker(Allocation("9", 0, ("n1",), 1, (), SLURM), "4", tmp_path)
    assert worker.code() is None
    note(tmp_path, "submitted", job="4", archive=version)
    assert worker.code() == tmp_path / "code" / version
    note(tmp_path, "submitted", job="55", after="4", archive="later")
    assert worker.code() == tmp_path / "code" / "later"


def test_an_archive_of_what_a_wheel_installed_works_by_itself(tmp_path: Path) -> None:
    code, wheel = unpacked(tmp_path, archived(tmp_path)), tmp_path / "site-packages"
    shutil.copytree(code / "vmsbench", wheel / "vmsbench")
    shutil.copytree(code / "conf", wheel / "vmsbench" / "conf")
    write = (
        "from pathlib import Path; from vmsbench.launch.code.archive import archived; print(archived(Path('sweep')))"
    )
    version = python(write, wheel, tmp_path).strip()
    program = (
        "import json; from vmsbench.config.compose import compose; from vmsbench.config.plugins import conf_folder\n"
        "print(json.dumps([str(conf_folder()), compose('gan', [])]))"
    )
    shutil.rmtree(wheel)
    place, settings = json.loads(python(program, unpacked(tmp_path / "sweep", version), tmp_path))
    assert place == str(tmp_path / "sweep" / "code" / version / "conf")
    assert settings == json.loads(python(program, code, tmp_path))[1]
