"""Half an hour of faults, drawn at random from every kind there is, on three sweeps of two users at once.

    pytest -m cluster -k soak                       the half hour
    VMSBENCH_SOAK=5 VMSBENCH_SEED=7 pytest ...      other minutes, other faults

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
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.conftest import LONG, TINY, User, found, nothing_is_left
from tests.slurm.lab import Lab
from vmsbench.store.job_events import notes

MINUTES = float(os.environ.get("VMSBENCH_SOAK", "30"))
SEED = int(os.environ.get("VMSBENCH_SEED", "0"))
PAUSE = (6.0, 25.0)  # seconds between two faults
ROUND = 900.0  # seconds that a round may take after its last fault

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


REFUSED = re.compile(r"has been submitted|is in use by|being submitted")
"""While the job before it, or one of its workers, still leaves."""
PEOPLE = ("games", "daemon")
ENDED = ("FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY")


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
        state = self.user.state(self.job) if self.job else "GONE"
        if state == "COMPLETED":
            return False
        if not self.job or state in ENDED:
            self.job = self.submit()
            self.submissions += bool(self.job)
        return True


def array_of(user: User) -> list[Watched]:
    """Two sweeps, one in each task of an array; a task that ended early is submitted alone."""
    script = user.folder / "array.sh"
    script.write_text(ARRAY.format(words=shlex.join([*TINY, *LONG])))
    both = user.says("sbatch --parsable array.sh").stdout.strip()

    def again(task: int) -> str:
        return user.says(f"sbatch --parsable --array={task} array.sh").stdout.strip() + f"_{task}"

    return [Watched(user, f"unet-s{task}", partial(again, task), f"{both}_{task}", 1) for task in (0, 1)]


def elastic_of(user: User) -> Watched:
    def submit() -> str:
        said = user.says(f"vmsbench tune --exp unet {shlex.join(TRACKED)} {ELASTIC}", check=False)
        number = re.search(r"job (\d+), log ", said.stdout)
        assert number or REFUSED.search(said.stderr), said.stdout + said.stderr
        return number[1] if number else ""

    return Watched(user, "unet", submit)


@dataclass
class Soak:
    """What faults may reach."""

    lab: Lab
    users: list[User]
    sweeps: list[Watched]
    draw: random.Random
    injected: Counter[str] = field(default_factory=Counter)

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

    def wait_until_missed(self, number: int) -> None:
        self.users[0].wait_for(lambda: f"n{number}" not in self.lab.ready(), f"n{number} to be missed", 120)


Fault = Callable[[Soak], bool]


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


def signalled_before_its_end(soak: Soak) -> bool:
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
    soak.wait_until_missed(number)
    soak.lab.on_node(number, "slurmd", "-N", f"n{number}")
    return True


def node_switched_off(soak: Soak) -> bool:
    number = soak.node
    soak.lab.cut_power(number)
    soak.wait_until_missed(number)
    soak.lab.start_node(number)
    return True


def controller_away(soak: Soak) -> bool:
    controller = soak.lab.pid("slurmctld")
    assert controller is not None
    os.kill(controller, signal.SIGSTOP)
    try:
        time.sleep(20)
    finally:
        os.kill(controller, signal.SIGCONT)
    soak.users[0].wait_for(lambda: bool(soak.lab.ready()), "the controller to answer", 60)
    return True


FAULTS: tuple[Fault, ...] = (
    *(
        driver_killed,
        trial_killed,
        raylet_killed,
        head_killed,
        driver_suspended,
        queued_again,
        signalled_before_its_end,
    ),
    *(cancelled, worker_cancelled, preempted, slurmd_killed, node_switched_off, controller_away),
)


@pytest.mark.slow
@pytest.mark.cluster
def test_soak(lab: Lab, long_reference: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    end, draw, rounds, submissions = time.monotonic() + 60 * MINUTES, random.Random(SEED), 0, 0
    injected = Counter[str]()
    while time.monotonic() < end:
        rounds += 1
        first, second = (User(lab, Path(tempfile.mkdtemp(prefix=f"{n}-", dir=lab.folder)), n) for n in PEOPLE)
        soak = Soak(lab, [first, second], [*array_of(first), elastic_of(second)], draw)
        try:
            print(f"round {rounds}, seed {SEED}")
            disturbed(soak, end)
        finally:
            lab.run("bash", "-c", "scancel --partition=high --state=PENDING; true")
            if sys.exc_info()[0]:
                lab.run("bash", "-c", "scancel $(squeue -h -o %A | sort -u)", check=False)
        for sweep in soak.sweeps:
            assert found(sweep.folder) == long_reference, (sweep.name, dict(soak.injected), sweep.user.logs())
            once_each(sweep.folder)
        no_run_is_left_running(second.folder / "runs" / "mlflow.db")
        first.wait_for(lambda: not lab.run("squeue", "-h").stdout, "every job to be over", 120)
        nothing_is_left(lab, files=not soak.injected["node_switched_off"])
        for left in lab.folder.glob("nodes/*/vmsbench*"):
            shutil.rmtree(left)
        injected, submissions = injected + soak.injected, submissions + sum(one.submissions for one in soak.sweeps)
    with capsys.disabled():
        print(f"\nsoak: {rounds} rounds, {3 * rounds} sweeps, {submissions} submissions, {injected.total()} faults:")
        print(", ".join(f"{kind} {count}" for kind, count in sorted(injected.items())))
    assert injected.total() >= MINUTES
    assert MINUTES < 30 or len(injected) >= len(FAULTS) - 3, "some kinds of faults found nothing to hit"


def disturbed(soak: Soak, end: float) -> None:
    """Fault until every sweep is finished, or the time is up; then let them come to their end."""
    last = time.monotonic()
    next_at = last + soak.draw.uniform(*PAUSE)
    while sum(sweep.goes_on() for sweep in soak.sweeps):
        now = time.monotonic()
        if now < end and now > next_at:
            fault = soak.draw.choice(FAULTS)
            hit = fault(soak)
            soak.injected[fault.__name__] += hit
            print(time.strftime("%H:%M:%S"), fault.__name__, "" if hit else "found nothing")
            last, next_at = time.monotonic(), time.monotonic() + soak.draw.uniform(*PAUSE)
        assert now < max(last, end) + ROUND, [(s.name, s.job, s.user.state(s.job)) for s in soak.sweeps]
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
