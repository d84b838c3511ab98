"""Half an hour of strikes, drawn at random from every kind there is, on three sweeps of two users at once.

    pytest -m cluster -k soak                       the half hour
    VMSBENCH_SOAK=5 VMSBENCH_SEED=7 pytest ...      other minutes, other strikes

Whoever finds a job of theirs ended early submits it again, as a person would.
"""

import json
import os
import random
import re
import shlex
import shutil
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.conftest import LONG, TINY, User, found, nothing_is_left
from tests.slurm.lab import Lab
from vmsbench.store.job_events import notes

MINUTES = float(os.environ.get("VMSBENCH_SOAK", "30"))
SEED = int(os.environ.get("VMSBENCH_SEED", "0"))
PAUSE = (6.0, 25.0)  # seconds between two strikes
ROUND = 900.0  # seconds that a round may take after its last strike

ARRAY = """#!/bin/bash
#SBATCH --array=0-1
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=2
#SBATCH --gpus-per-node=1
#SBATCH --time=30
#SBATCH --signal=B:USR1@60
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.log
source .venv/bin/activate
exec vmsbench job tune --exp unet --name "unet-s$SLURM_ARRAY_TASK_ID" {words}
"""
TRACKED = [word for word in (*TINY, *LONG) if word != "tracker=none"]
ELASTIC = "launcher=slurm launcher.shape=elastic --nodes 2 --gpus 1 --cpus 2 --time 30 launcher.idle=30"


@dataclass
class Watched:
    """A sweep, and the job that works on it."""

    user: User
    name: str
    submit: Callable[[], str]
    job: str = ""
    submissions: int = 0

    @property
    def folder(self) -> Path:
        return self.user.folder / "runs" / self.name

    def goes_on(self) -> bool:
        """Whether it is still unfinished; a job that ended without finishing it is submitted again."""
        if self.job and not self.user.over(self.job):
            return True
        if self.job and self.user.state(self.job) == "COMPLETED":
            return False
        self.job, self.submissions = self.submit(), self.submissions + 1
        return True


def array_of(user: User) -> list[Watched]:
    """Two sweeps, one in each task of an array; a task that ended early is submitted alone."""
    script = user.folder / "array.sh"
    script.write_text(ARRAY.format(words=shlex.join([*TINY, *LONG])))
    both = user.says("sbatch --parsable array.sh").stdout.strip()

    def again(task: int) -> str:
        return user.says(f"sbatch --parsable --array={task} array.sh").stdout.strip() + f"_{task}"

    return [Watched(user, f"unet-s{task}", lambda task=task: again(task), f"{both}_{task}", 1) for task in (0, 1)]  # type: ignore[misc]


def elastic_of(user: User) -> Watched:
    def submit() -> str:
        said = user.says(f"vmsbench tune --exp unet {shlex.join(TRACKED)} {ELASTIC}", check=False)
        number = re.search(r"job (\d+), log ", said.stdout)
        return number[1] if number else ""  # refused while the last job's workers leave

    return Watched(user, "unet", submit)


@dataclass
class Soak:
    """What strikes may reach."""

    lab: Lab
    users: list[User]
    sweeps: list[Watched]
    draw: random.Random
    struck: Counter[str] = field(default_factory=Counter)

    @property
    def node(self) -> int:
        return self.draw.randint(1, self.lab.nodes)

    def signalled(self, words: str, how: str = "-9") -> tuple[int, int] | None:
        """The node and number of a process that got a signal; None where none runs whose command holds `words`."""
        number = self.node
        pids = self.lab.processes(number, words)
        if not pids:
            return None
        pid = self.draw.choice(pids)
        self.lab.on_node(number, "kill", how, str(pid))
        return number, pid

    def running(self) -> list[str]:
        return self.lab.run("squeue", "-h", "-p", "low", "-t", "R", "-o", "%i", check=False).stdout.split()

    def on_a_job(self, *command: str) -> bool:
        jobs = self.running()
        if jobs:
            self.lab.run(*command, self.draw.choice(jobs), check=False)
        return bool(jobs)

    def back(self, number: int) -> None:
        self.users[0].wait_for(lambda: f"n{number}" not in self.lab.ready(), f"n{number} to be missed", 120)


Strike = Callable[[Soak], bool]


def driver_killed(soak: Soak) -> bool:
    return soak.signalled("vmsbench tune") is not None


def trial_killed(soak: Soak) -> bool:
    return soak.signalled("ray::ImplicitFunc") is not None


def raylet_killed(soak: Soak) -> bool:
    return soak.signalled("raylet/raylet") is not None


def head_killed(soak: Soak) -> bool:
    return soak.signalled("gcs_server") is not None


def driver_suspended(soak: Soak) -> bool:
    stopped = soak.signalled("vmsbench tune", "-STOP")
    if stopped is None:
        return False
    time.sleep(20)
    soak.lab.on_node(stopped[0], "kill", "-CONT", str(stopped[1]))
    return True


def queued_again(soak: Soak) -> bool:
    return soak.on_a_job("scontrol", "requeue")


def told_of_the_end(soak: Soak) -> bool:
    return soak.on_a_job("scancel", "--signal=USR1", "--batch")


def cancelled(soak: Soak) -> bool:
    return soak.on_a_job("scancel")


def worker_cancelled(soak: Soak) -> bool:
    workers = {str(line["job"]) for sweep in soak.sweeps for line in notes(sweep.folder) if "driver" in line}
    there = sorted(workers & {job.partition("_")[0] for job in soak.running()} | workers & set(soak.running()))
    if there:
        soak.lab.run("scancel", soak.draw.choice(there), check=False)
    return bool(there)


def preempted(soak: Soak) -> bool:
    ask = ("-p", "high", "-w", f"n{soak.node}", "--gpus-per-node", "2", "--time", "1", "-o", "/dev/null")
    soak.lab.run("sbatch", *ask, "--wrap", "sleep 3", cwd=soak.lab.folder)
    return True


def slurmd_killed(soak: Soak) -> bool:
    number = soak.node
    soak.lab.on_node(number, "pkill", "-9", "-x", "slurmd")
    soak.back(number)
    soak.lab.on_node(number, "slurmd", "-N", f"n{number}")
    return True


def node_switched_off(soak: Soak) -> bool:
    number = soak.node
    soak.lab.cut_power(number)
    soak.back(number)
    soak.lab.start_node(number)
    return True


def controller_away(soak: Soak) -> bool:
    controller = soak.lab.pid("slurmctld")
    assert controller is not None
    os.kill(controller, signal.SIGSTOP)
    time.sleep(20)
    os.kill(controller, signal.SIGCONT)
    soak.users[0].wait_for(lambda: bool(soak.lab.ready()), "the controller to answer", 60)
    return True


STRIKES: tuple[Strike, ...] = (
    *(driver_killed, trial_killed, raylet_killed, head_killed, driver_suspended, queued_again, told_of_the_end),
    *(cancelled, worker_cancelled, preempted, slurmd_killed, node_switched_off, controller_away),
)


@pytest.mark.slow
@pytest.mark.cluster
def test_soak(lab: Lab, long_reference: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    end, draw, struck, rounds, submissions = time.monotonic() + 60 * MINUTES, random.Random(SEED), Counter[str](), 0, 0
    while time.monotonic() < end:
        rounds += 1
        first, second = (User(lab, Path(tempfile.mkdtemp(prefix=f"{n}-", dir=lab.folder)), n) for n in PEOPLE)
        soak = Soak(lab, [first, second], [*array_of(first), elastic_of(second)], draw)
        try:
            disturbed(soak, end)
        except AssertionError as error:
            lab.run("bash", "-c", "scancel $(squeue -h -o %A | sort -u)", check=False)
            raise AssertionError(f"seed {SEED}, round {rounds}, after {dict(soak.struck)}: {error}") from error
        for sweep in soak.sweeps:
            assert found(sweep.folder) == long_reference, (sweep.name, dict(soak.struck), sweep.user.logs())
            once_each(sweep.folder)
        no_run_is_left_running(second.folder / "runs" / "mlflow.db")
        lab.run("scancel", "--partition=high", "--state=PENDING")
        first.wait_for(lambda: not lab.run("squeue", "-h").stdout, "every job to be over", 120)
        nothing_is_left(lab, files=not soak.struck["node_switched_off"])
        for left in lab.folder.glob("nodes/*/vmsbench*"):
            shutil.rmtree(left)
        struck, submissions = struck + soak.struck, submissions + sum(one.submissions for one in soak.sweeps)
    with capsys.disabled():
        print(f"\nsoak: {rounds} rounds, {3 * rounds} sweeps, {submissions} submissions, {struck.total()} strikes:")
        print(", ".join(f"{kind} {count}" for kind, count in sorted(struck.items())))
    assert struck.total() >= MINUTES


PEOPLE = ("games", "daemon")


def disturbed(soak: Soak, end: float) -> None:
    """Strike until every sweep is finished, or the time is up; then let them come to their end."""
    last, strike_at = 0.0, time.monotonic() + soak.draw.uniform(*PAUSE)
    while sum(sweep.goes_on() for sweep in soak.sweeps):
        now = time.monotonic()
        if now < end and now > strike_at:
            strike = soak.draw.choice(STRIKES)
            hit = strike(soak)
            soak.struck[strike.__name__] += hit
            print(time.strftime("%H:%M:%S"), strike.__name__, "" if hit else "found nothing to strike")
            last, strike_at = time.monotonic(), time.monotonic() + soak.draw.uniform(*PAUSE)
        assert not last or now < max(last, end) + ROUND, [(s.name, s.job, s.user.state(s.job)) for s in soak.sweeps]
        time.sleep(1)


def once_each(folder: Path) -> None:
    """Nothing was done twice: neither an epoch, nor the end of a trial, nor the reading of the test pairs."""
    events = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    ends = Counter(event["trial"] for event in events if event["event"] == "finished" and event["state"] == "complete")
    ends += Counter(f"final {event['trial']}" for event in events if event["event"] == "final")
    assert set(ends.values()) == {1}, (folder, ends)
    for history in folder.glob("*/*/history.jsonl"):
        epochs = [json.loads(line)["epoch"] for line in history.read_text().splitlines()]
        assert epochs == list(range(1, len(epochs) + 1)), (history, epochs)


def no_run_is_left_running(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        states = Counter(state for (state,) in connection.execute("select status from runs"))
    assert states["FINISHED"], states
    assert not states["RUNNING"], states
