"""A container on a real Slurm, its runtime played by a small program that hides Slurm's commands; and podman itself."""

import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.slurm.conftest import TINY, User, found, nothing_is_left
from tests.slurm.lab import Lab
from tests.support.processes.commands import a_command
from tests.support.processes.supervised import Node, leaves_unfinished
from vmsbench.versions import PUBLIC

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

HIDDEN = ("sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")


@pytest.mark.parametrize("shape", ["allocation", "elastic"])
def test_a_sweep_trains_inside_and_is_supervised_outside(
    shape: str, lab: Lab, user: User, reference: dict[str, object]
) -> None:
    hide = " && ".join(f'mount --bind /dev/null "$(command -v {name})"' for name in HIDDEN)
    begin = f'{hide} && echo "inside: $*" >> {user.folder}/inside; PATH={Path(sys.executable).parent}:$PATH exec "$@"'
    runtime = (
        f'while [ "$1" != image ]; do shift; done; shift; exec unshare -m bash -c {shlex.quote(begin)} inside "$@"'
    )
    a_command(user.folder / ".venv" / "bin", "apptainer", runtime)
    settings = "launcher=slurm launcher.container=image launcher.runtime=apptainer launcher.gpus=0 launcher.notice=30"
    spread = " launcher.shape=elastic --nodes 2 --cpus 2" * (shape == "elastic")
    said = user.says(f"vmsbench tune --exp unet {shlex.join(TINY)} {settings}{spread} --time 20").stdout
    user.finishes(re.findall(r"job (\d+)", said)[0])
    inside = (user.folder / "inside").read_text()
    assert "-m vmsbench tune" in inside
    assert (f"-m {PUBLIC['Ray node']} join" in inside) == (shape == "elastic")
    assert found(user.folder / "runs" / "unet") == reference
    nothing_is_left(lab)


@pytest.fixture
def podman(tmp_path: Path) -> Node:
    """A node whose podman has an image that is empty but for its folders: the system's programs are bound."""
    program = shutil.which("podman")
    if program is None:
        pytest.skip("not installed: apt-get install --no-install-recommends podman")
    if os.geteuid() != 0:
        pytest.skip("a store of one's own needs root")
    (tmp_path / "work").mkdir()
    node = Node(tmp_path / "work")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # podman asks for more, even where root may not have it
    limits = f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc=4096:4096"]\n'
    (tmp_path / "containers.conf").write_text(f'{limits}[engine]\nlock_type = "file"\ntmp_dir = "{tmp_path}/tmp"\n')
    store = f'driver = "overlay"\ngraphroot = "{tmp_path}/store"\nrunroot = "{tmp_path}/run"\n'
    (tmp_path / "storage.conf").write_text(f"[storage]\n{store}")
    configured = f"CONTAINERS_CONF={tmp_path}/containers.conf CONTAINERS_STORAGE_CONF={tmp_path}/storage.conf"
    # crun refuses a node with both versions of the kernel's control groups: one of them is enough
    one = 'if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi; exec "$0" "$@"'
    a_command(node.programs, "podman", f'exec unshare -m env {configured} bash -c {shlex.quote(one)} {program} "$@"')
    root = tmp_path / "root"
    for name in ("usr", "etc", "proc", "sys", "dev", "run", "tmp", "var"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        if Path("/", name).is_symlink():
            (root / name).symlink_to(os.readlink(f"/{name}"))
    with tarfile.open(tmp_path / "root.tar", "w") as tar:
        tar.add(root, ".")
    subprocess.run([node.programs / "podman", "import", tmp_path / "root.tar", "empty"], check=True)
    return node


def test_podman_has_the_links_and_the_folder_and_passes_signals_on(podman: Node, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "picture").write_text("seen")
    (tmp_path / "link").symlink_to(tmp_path / "far")
    see = f'pwd > where; cat {tmp_path}/link/picture > seen; echo "$VMSBENCH_SUPERVISED" > supervised'
    # podman drops a signal that comes while it starts
    podman.vmsbench(f"sleep 2; {see}; {leaves_unfinished(podman.folder)}")
    own = {"VMSBENCH_CONTAINER": "localhost/empty", "VMSBENCH_RUNTIME": "podman", "VMSBENCH_BINDS": "/usr"}
    begun = podman.begin(f"data.root={tmp_path}/link", **own, TMPDIR=str(podman.folder))
    podman.ready()
    begun.send_signal(signal.SIGUSR1)
    said, _ = begun.communicate(timeout=120)
    assert begun.returncode == 75, said
    written = {name: (podman.folder / name).read_text() for name in ("where", "seen", "supervised", "said")}
    assert written == {"where": f"{podman.folder}\n", "seen": "seen", "supervised": "1\n", "said": "saving\n"}
    assert podman.requeued(), said
