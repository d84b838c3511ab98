"""Environment variables, streams, limits, clocks and archives as clusters and shells have them."""

import os
import resource
import shutil
import subprocess
import sys
import time
import zipapp
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.nightly import few_by_day
from tests.support.processes.running import SMALL, command, events, surroundings
from tests.support.sweeps.in_process import study
from vmsbench.errors import UserError
from vmsbench.launch.environment import THREADS, drop_unusable_threads, max_restarts, notice, threads, until, workers
from vmsbench.store.reader import read_sweep
from vmsbench.sweep.status import status

ROOT = Path(__file__).parents[2]
SPACE = "space.parameters=[{param: model.network.width, values: [4, 8]}]"


@pytest.mark.parametrize(
    ("text", "count"),
    [("4", 4), (" 4 ", 4), ("4,2", 4), ("64", 64), ("", None), ("0", None), ("-1", None), ("abc", None), ("²", None),
     (",2", None), ("1.5", None)],
)  # fmt: skip
def test_thread_counts_are_read_as_openmp_reads_them(
    text: str, count: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in THREADS:
        monkeypatch.setenv(name, text)
    assert threads() == count
    drop_unusable_threads()
    assert [os.environ.get(name) for name in THREADS] == len(THREADS) * [None if count is None else text]


@pytest.mark.parametrize("text", ["x", "-1", "nan", "1,2", "3 min"])
def test_a_jobs_variables_that_mean_nothing_are_refused_by_name(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("VMSBENCH_UNTIL", "VMSBENCH_NOTICE", "VMSBENCH_MAX_RESTARTS", "VMSBENCH_ELASTIC")
    for name, read in zip(names, (until, notice, max_restarts, workers), strict=True):
        monkeypatch.setenv(name, text)
        with pytest.raises(UserError, match=rf"^{name}={text} is "):
            read()
        monkeypatch.setenv(name, "")
        read()


def run(*arguments: str, cwd: Path, limits: tuple[int, int] | None = None, **options: object):  # type: ignore[no-untyped-def]
    def limited() -> None:
        os.umask(0o077)
        if limits:
            resource.setrlimit(limits[0], (limits[1], limits[1]))

    return subprocess.run(command(*arguments), cwd=cwd, preexec_fn=limited, text=True, check=False, **options)  # type: ignore[call-overload]


@pytest.mark.slow
def test_a_sweep_in_an_unkind_environment_is_whole(tmp_path: Path) -> None:
    """No usable thread counts, no such folder for temporary files, no home, no UTF-8, no terminal, closed input."""
    environment = surroundings(
        OMP_NUM_THREADS="4,2", MKL_NUM_THREADS="", NUMEXPR_MAX_THREADS="abc", TMPDIR=str(tmp_path / "not there"),
        HOME=str(tmp_path / "no home"), LC_ALL="C", PYTHONIOENCODING="ascii", CUDA_VISIBLE_DEVICES="NoDevFiles",
        TERM="dumb", VMSBENCH_UNTIL="",
    )  # fmt: skip
    arguments = ("tune", "--exp", "unet", "--cpus", "2", *SMALL, SPACE)
    done = run(*arguments, cwd=tmp_path, env=environment, stdin=None, capture_output=True)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs" / "unet"
    assert {event["state"] for event in events(folder, "finished")} == {"complete"}
    assert len(events(folder, "final")) >= 1
    assert done.stdout.startswith("read from ")
    assert "libgomp" not in done.stderr
    logs = [*folder.glob("trials/*/log.txt"), *folder.glob("final/*/log.txt")]
    assert logs
    assert all("  pairs      " in log.read_text() for log in logs)
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.slow
@pytest.mark.nightly
def test_a_trial_that_dies_before_its_folder_exists_says_why(tmp_path: Path) -> None:
    """Whoever breaks the worker's start: here a thread count that torch does not take."""
    environment = surroundings(OMP_NUM_THREADS="99999999999999999999")
    arguments = ("tune", "--exp", "unet", "--cpus", "2", *SMALL, SPACE)
    done = run(*arguments, cwd=tmp_path, env=environment, capture_output=True)
    assert done.returncode == 2, done.stderr
    folder = tmp_path / "runs" / "unet"
    failed = events(folder, "finished")
    assert failed
    assert all("set_num_threads" in event["cause"] or "Overflow" in event["cause"] for event in failed), failed
    trial = folder / "trials" / failed[0]["trial"]
    assert trial.is_dir()
    why = run("why", failed[0]["trial"], cwd=tmp_path, env=surroundings(), capture_output=True)
    assert why.returncode == 0, why.stderr
    assert failed[0]["cause"] in " ".join(why.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    "closed", few_by_day(["<&-", ">&-", "<&- >&-", "<&- >&- 2>&-", "| head -1"], "<&- >&- 2>&-", "| head -1")
)
def test_closed_streams_and_a_reader_who_has_gone(closed: str, tmp_path: Path) -> None:
    train = ("train", "--exp", "unet", *SMALL, "trainer.epochs=1", "--runs", str(tmp_path / "runs"))
    line = f'"$@" {closed}'
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line, "bash", *command(*train)],
        cwd=tmp_path, env=surroundings(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == (1 if "head" in closed else 0), done.stderr
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


@pytest.mark.parametrize(
    ("variables", "said"),
    [({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "error: file names are read as ascii here"),
     ({"VMSBENCH_CONF": "/dev/null/none"}, "error: $VMSBENCH_CONF: /dev/null/none is not a folder")],
)  # fmt: skip
def test_what_cannot_work_is_one_line(variables: dict[str, str], said: str, tmp_path: Path) -> None:
    done = subprocess.run(
        command("train", "--exp", "unet", "data=standin"),
        cwd=tmp_path, env=surroundings(**variables), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(said)


def test_too_little_memory_is_one_line(tmp_path: Path) -> None:
    limits = resource.RLIMIT_AS, 700_000_000
    done = run("train", "--exp", "unet", *SMALL, cwd=tmp_path, env=surroundings(), limits=limits, capture_output=True)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line == "error: not enough memory here (ulimit -v, or what the job was given): ask for more"


@pytest.mark.slow
@pytest.mark.nightly
def test_a_training_with_few_open_files_no_home_and_a_long_place_for_temporary_files(tmp_path: Path) -> None:
    place = tmp_path / f"with spaces and {100 * 'x'}"
    place.mkdir()
    environment = {name: value for name, value in surroundings(TMPDIR=str(place)).items() if name != "HOME"}
    done = run(
        "train", "--exp", "unet", *SMALL, cwd=tmp_path, env=environment, limits=(resource.RLIMIT_NOFILE, 16),
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_gpus_that_are_hidden_or_named_wrongly_leave_the_cpu() -> None:
    """Each value in a process of its own, forked before it asks for a device, and after the imports."""
    values = ("", "-1", "NoDevFiles", "0,1", "GPU-abc", "MIG-xyz", "none", "0,,1", " 0")
    program = """
        import os, sys
        from vmsbench.training.checks import chosen_device
        for value in sys.argv[1:]:
            if os.fork() == 0:
                os.environ["CUDA_VISIBLE_DEVICES"] = value
                print(chosen_device("auto"), chosen_device("cpu"), flush=True)
                os._exit(0)
            assert os.wait()[1] == 0, value
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(program), *values],
        env=surroundings(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == len(values)
    assert all(cpu == "cpu" for _, cpu in lines)
    assert [auto for auto, _ in lines[:2]] == ["cpu", "cpu"]


@pytest.mark.slow
def test_a_sweep_with_a_tiny_shared_memory_and_a_home_that_is_read_only(tmp_path: Path) -> None:
    """In a namespace of its own: /dev/shm of 8 MB, an empty home, and a long TMPDIR with spaces."""
    mounts = 'mount -t tmpfs -o size=8m tmpfs /dev/shm && mount -t tmpfs -o ro tmpfs "$HOME"'
    home, place = tmp_path / "home", tmp_path / "temporary files here"
    home.mkdir()
    place.mkdir()
    environment = surroundings(HOME=str(home), TMPDIR=str(place))
    inside = ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run([*inside, "true"], env=environment, check=False).returncode:
        pytest.skip("only root can mount in a namespace of its own")
    arguments = ("tune", "--exp", "unet", "--cpus", "2", *SMALL, SPACE)
    done = subprocess.run(
        [*inside, *command(*arguments)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {event["state"] for event in events(tmp_path / "runs" / "unet", "finished")} == {"complete"}
    assert len(events(tmp_path / "runs" / "unet", "final")) >= 1
    assert "matplotlib" not in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_a_zip_archive_says_that_it_does_not_run(tmp_path: Path) -> None:
    archive = tmp_path / "vmsbench.pyz"
    (tmp_path / "inside").mkdir()
    shutil.copytree(ROOT / "vmsbench", tmp_path / "inside" / "vmsbench")
    with (tmp_path / "inside" / "__main__.py").open("w") as file:
        file.write("import vmsbench.cli.app\nvmsbench.cli.app.main()\n")
    zipapp.create_archive(tmp_path / "inside", archive)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, archive, "--help"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line == "error: vmsbench does not run from a zip archive (zipapp, shiv, pex): install it by pip"


def test_a_clock_set_back_by_an_hour_changes_no_result_and_no_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = study(tmp_path / "whole")
    real, calls = time.time, [0]

    def clock() -> float:
        calls[0] += 1
        return real() - (3600.0 if calls[0] > 20 else 0.0)

    monkeypatch.setattr(time, "time", clock)
    folder = study(tmp_path / "back", budget="0.5h")
    times = [event["time"] for event in read_sweep(folder).events]
    assert min(later - earlier for earlier, later in pairwise(times)) < -3000, "it was set back"
    found, expected = read_sweep(folder), read_sweep(whole)
    assert found.winner["trial"] == expected.winner["trial"]
    assert [final.scores for final in found.finals] == [final.scores for final in expected.finals]
    hours = status(folder).hours
    assert min(hours.useful, hours.finals, hours.lost, hours.idle) >= 0
    assert hours.busy < 0.5
