"""Slurm's own commands: each has a time limit, and temporary errors are retried."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping

from vmsbench.launch.launcher import ANSWER_BY, NoAnswer, NotHere, Refused
from vmsbench.processes import user_name

PATIENCE = 30.0  # seconds
EARLY = 60  # seconds by which Slurm may send a signal too early
PAUSES = (2.0, 5.0, 15.0)
PASSING = (
    "socket timed out",
    "unable to contact slurm controller",
    "connection refused",
    "connection timed out",
    "temporarily unable",
    "resource temporarily unavailable",
    "zero bytes were transmitted",
    "unexpected message received",
    "slurm_persist_conn_open",
    "munge",
)
UNSURE = (
    *("socket timed out", "connection timed out", "zero bytes were transmitted", "unexpected message received"),
    "slurm_persist_conn_open",
)
"""Of these the errors after which Slurm may have heard the request all the same: a job is not submitted again."""
UNCONFIGURED = ("establish a configuration source", "unable to process configuration file")
ELSEWHERE = "run this on a cluster's login node, or leave out launcher=slurm"


def ask(*command: str, patience: float = PATIENCE) -> str | None:
    """A command's output; None where it is missing, fails, or times out after `patience` seconds."""
    try:
        return call(*command, patience=patience, pauses=())
    except Refused:
        return None


def call(
    *command: str,
    patience: float = PATIENCE,
    pauses: tuple[float, ...] = PAUSES,
    environment: Mapping[str, str] | None = None,
    loud: bool = False,
) -> str:
    """A command's output; temporary errors are retried, but for a submission that Slurm may have heard. `loud`: with
    standard error.

    Raises Refused with Slurm's message in one line; NoAnswer where it may answer later.
    """
    if shutil.which(command[0]) is None:
        raise NotHere(f"{command[0]} not found: {ELSEWHERE}")
    for pause in (*pauses, None):
        patience = min(patience, ANSWER_BY.get() - time.monotonic())
        if patience <= 0:
            raise NoAnswer("Slurm does not answer; try again later")
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=patience,
                check=False,
                stdin=subprocess.DEVNULL,
                env=dict(environment or os.environ),
            )
        except subprocess.TimeoutExpired:
            raise NoAnswer(f"{command[0]} gave no answer within {round(patience, 1):g} s; try again later") from None
        except OSError as error:
            raise Refused(f"{command[0]} cannot be run here ({error.strerror})") from error
        if done.returncode == 0:
            return said(done.stdout + done.stderr) if loud else done.stdout
        words = said(done.stderr or done.stdout)
        passing = any(sign in words.lower() for sign in PASSING)
        if any(sign in words.lower() for sign in UNCONFIGURED):
            raise NotHere(f"Slurm is not set up on this machine ({words}): {ELSEWHERE}")
        submits = command[0] == "sbatch" and "--test-only" not in command
        heard = submits and any(sign in words.lower() for sign in UNSURE)
        if passing and (pause is None or heard):
            raise NoAnswer(words)
        if not passing:
            break
        time.sleep(min(pause or 0.0, max(0.0, ANSWER_BY.get() - time.monotonic())))
    raise Refused(words or f"{command[0]} failed with exit code {done.returncode}", own_errors(command[0], done.stderr))


def said(text: str) -> str:
    """Slurm's message in one line, without the names of its commands and without repetitions."""
    lines: list[str] = []
    for line in text.splitlines():
        for command in ("sbatch", "srun", "scontrol", "scancel", "squeue"):
            line = line.strip().removeprefix(f"{command}: ").removeprefix("error: ").removeprefix("fatal: ")
        if line and line not in lines:
            lines.append(line)
    return "; ".join(lines)


def own_errors(command: str, said: str) -> str:
    """The lines that a command of Slurm marks as its own: its errors, else all; empty where it marks none."""
    own = [line.strip() for line in said.splitlines() if line.strip().startswith(f"{command}: ")]
    return "\n".join([line for line in own if re.match(r"\w+: (error|fatal): ", line)] or own)


def submitted_number(said: str) -> str:
    """The number of a job in what `sbatch --parsable` says, `4711` or `4711;cluster`, or in the sentence of a site's
    own sbatch that leaves the flag out.

    A site may print more around it: of several numbers it is the one of a job of this user, which squeue has as soon as
    sbatch has answered; where squeue has none of them, or gives no answer, the first. Raises Refused where there is no
    number.
    """
    sentences = re.findall(r"^\s*Submitted batch job (\d+)\b", said, re.MULTILINE)
    numbers = list(map(str, sentences or re.findall(r"^(\d+)(?:;\S*)?$", said, re.MULTILINE)))
    if not numbers:
        raise Refused(f"sbatch said no job's number but: {' '.join(said.split())[:300]}")
    if len(set(numbers)) == 1:
        return numbers[0]
    there = (ask("squeue", "--noheader", f"--user={user_name()}", "--format=%F") or "").split()
    return next((number for number in numbers if number in there), numbers[0])
