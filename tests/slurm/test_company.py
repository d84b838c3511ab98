"""Not alone on the cluster: a stranger at every port of a running sweep, and two people's sweeps on one node."""

import json
import re
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.conftest import LONG, ROOT, User, found, nothing_is_left
from tests.slurm.lab import Lab
from tests.slurm.stranger import UNAUTHENTICATED, UNIMPLEMENTED

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

SLURMS_OWN = ("slurmd", "slurmstepd", "srun", "munged")
REFUSALS = {UNAUTHENTICATED, UNIMPLEMENTED, 401, 403}
ROUNDS = 10
SHARE = "--nodes 1 -w n1 --gpus-per-node 1 --cpus-per-task 2 --time 15"


def open_ports(lab: Lab, number: int) -> dict[int, str]:
    """The TCP ports on which a node's processes listen, but for Slurm's own: port to process."""
    listed = lab.on_node(number, "ss", "-ltnpH").splitlines()
    ports = {
        int(line.split()[3].rpartition(":")[2]): found[1]
        for line in listed
        if (found := re.search(r'users:\(\("([^"]+)"', line))
    }
    return {port: process for port, process in ports.items() if process not in SLURMS_OWN}


def answers(lab: Lab, number: int, port: int, token: str) -> dict[str, int | None]:
    """What a port says to somebody who asks from within the node: whoever asks from without reaches less."""
    ask = [sys.executable, "-m", "tests.slurm.stranger", f"{lab.net}.{10 + number}", str(port), token]
    said = lab.on_node(number, "env", f"PYTHONPATH={ROOT}", *ask)
    return dict(json.loads(said))


def test_who_has_no_token_is_refused_at_every_port(lab: Lab, user: User) -> None:
    job = user.sbatch("--nodes 2 --gpus-per-node 2 --time 20", more=("--epochs", "600"))
    user.wait_for(lambda: user.epochs() > 20, "a few epochs")
    secret = user.folder / "runs" / "unet" / ".ray-token"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    known = 0
    for number in (1, 2):
        ports = open_ports(lab, number)
        assert any("raylet" in process for process in ports.values()), ports
        for port, process in ports.items():
            for token in ("", "f" * len(secret.read_text())):
                replies = answers(lab, number, port, token)
                if set(replies.values()) == {None} and port not in open_ports(lab, number):
                    continue  # a worker that had nothing to do, and is gone
                assert set(replies.values()) <= REFUSALS, (number, port, process, replies)
                assert set(replies.values()) != {UNIMPLEMENTED}, (number, port, process, replies)
        heads = [port for port, process in ports.items() if "gcs_server" in process]
        known += sum(0 in answers(lab, number, port, secret.read_text()).values() for port in heads)
    assert known == 1  # the same questions, with the token, are answered
    assert user.state(job) == "RUNNING"
    user.says("vmsbench cancel unet")
    user.wait_for(lambda: user.over(job), "the job to end")
    nothing_is_left(lab)


def of_user(lab: Lab, name: str) -> str:
    """Somebody's processes on the first node."""
    return lab.on_node(1, "ps", "-u", name, "-o", "pid,args", "--no-headers").strip()


def test_two_peoples_sweeps_on_one_node_leave_each_other_alone(lab: Lab, long_reference: dict[str, Any]) -> None:
    for name in ("games", "daemon"):
        enter = ("setpriv", f"--reuid={name}", "--clear-groups", "bash", "-c", f"{sys.executable} -c 'print(1)'")
        if lab.on_node(1, *enter) != "1\n":
            pytest.skip(f"{sys.executable} is not for {name}: install Python where everybody may read it")
    for turn in range(ROUNDS):
        both = [User(lab, Path(tempfile.mkdtemp(prefix=f"{n}-", dir=lab.folder)), n) for n in ("games", "daemon")]
        first, second = both
        jobs = [person.sbatch(SHARE, more=LONG) for person in both]
        first.wait_for(lambda both=both: all(one.epochs() > 5 for one in both), "both to train")  # type: ignore[misc]
        disturbed = turn % 3
        if disturbed == 1:
            first.says("vmsbench cancel unet")
        if disturbed == 2:
            lab.on_node(1, "pkill", "-9", "-u", first.name, "-f", "gcs_server")
        second.finishes(jobs[1], 400)
        assert found(second.folder / "runs" / "unet") == long_reference, (turn, second.logs())
        assert "restarting" not in second.logs()
        if disturbed == 1:
            first.wait_for(lambda: first.over(jobs[0]), "the cancelled job to end")  # noqa: B023
        else:
            first.finishes(jobs[0], 400)
            assert found(first.folder / "runs" / "unet") == long_reference, (turn, first.logs())
        first.wait_for(lambda: not first.says("squeue -h").stdout, "Slurm to be done", 60)  # noqa: B023
        assert [of_user(lab, one.name) for one in both] == ["", ""], turn
        nothing_is_left(lab)
