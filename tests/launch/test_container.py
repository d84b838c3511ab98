"""Containers: what trains goes in, the supervisor stays out. A small program plays the runtime: it runs the command in
a mount namespace in which Slurm's commands are hidden."""

import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.command_line import Called, called, refused
from tests.support.processes.commands import a_command
from tests.support.processes.supervised import ROOT, Node, leaves_unfinished
from vmsbench.errors import ConfigurationError
from vmsbench.launch.container import runtime as container
from vmsbench.launch.container.binds import binds, configured
from vmsbench.launch.container.runtime import Container, checked_container
from vmsbench.launch.elastic.demand import demand_of
from vmsbench.launch.slurm.launcher import SlurmLauncher

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a mount namespace needs root")


@pytest.mark.parametrize(
    ("image", "runtime", "said"),
    [
        ("image.sif", None, "needs launcher.runtime, one of apptainer, enroot, podman"),
        ("image", "podmann", "did you mean podman"),
        ("missing.sif", "apptainer", "there is no file missing.sif"),
    ],
)
def test_half_a_container_is_refused(image: str | None, runtime: str | None, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        checked_container(image, runtime)


def test_a_runtime_alone_is_no_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site.yaml may set it for all jobs, of which few have a container."""
    assert checked_container(None, "apptainer") is None
    monkeypatch.setenv("VMSBENCH_RUNTIME", "apptainer")
    monkeypatch.delenv("VMSBENCH_CONTAINER", raising=False)
    assert container.inside(["python3"], tmp_path) == ["python3"]


def test_what_cannot_work_inside_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="shape=elastic"):
        SlurmLauncher(container="image", runtime="podman", nodes=2)
    with pytest.raises(ConfigurationError, match="idle"):
        SlurmLauncher(container="image", runtime="podman", nodes=2, shape="elastic", idle=60)
    with pytest.raises(ConfigurationError, match="requeue"):
        SlurmLauncher(container="image", runtime="podman", nodes=2, shape="elastic", requeue=False)
    SlurmLauncher(container="image", runtime="podman", nodes=2, shape="elastic")


FOLDERS = ("home", "tmp", "pictures of mine", "runs")
VOLUMES = {
    "apptainer": lambda paths: [f"--bind={path}:{path}" for path in paths],
    "enroot": lambda paths: [word for path in paths for word in ("--mount", f"{path}:{path}".replace(" ", "\\040"))],
    "podman": lambda paths: [f"--volume={path}:{path}" for path in paths],
}


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with four folders, no GPU and few variables."""
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    for name in [*os.environ]:
        monkeypatch.delenv(name)
    for name, value in (("HOME", "home"), ("TMPDIR", "tmp")):
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("VMSBENCH_UNTIL", "1")
    monkeypatch.setattr(container, "GPUS", {name: {} for name in container.RUNTIMES})
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path


@pytest.mark.parametrize("runtime", container.RUNTIMES)
def test_the_whole_command(runtime: str, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    inside = ["tune", f"data.root={bare}/pictures of mine"]
    volumes = VOLUMES[runtime]([f"{bare}/{name}" for name in sorted(FOLDERS)])
    words = {
        "apptainer": ["apptainer", "exec", f"--pwd={bare}/home", *volumes, "image", "python3", *inside],
        "enroot": [
            *("enroot", "start", *volumes, "--env", "HOME", "--env", "TMPDIR", "--env", "VMSBENCH_UNTIL", "image"),
            *("sh", "-c", 'cd "$0" && exec "$@"', f"{bare}/home", "python3", *inside),
        ],
        "podman": [
            *("podman", "run", "--rm", "--network=host", "--pid=host", "--ipc=host", "--security-opt=label=disable"),
            *("--userns=keep-id", "--entrypoint=", f"--workdir={bare}/home", *volumes),
            *("--env=HOME", "--env=TMPDIR", "--env=VMSBENCH_UNTIL", "image", "python3", *inside),
        ],
    }
    assert Container("image", runtime).command([sys.executable, *inside], bare / "runs" / "unet") == words[runtime]


@pytest.mark.parametrize("runtime", container.RUNTIMES)
@pytest.mark.parametrize("device", ["/dev/nvidiactl", "/dev/kfd", "/dev/dri"])
def test_each_runtime_gets_the_gpus(runtime: str, device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = container.GPUS[runtime][device]
    there = {str(tmp_path) if one == device else "/nowhere": words for one, words in container.GPUS[runtime].items()}
    monkeypatch.setitem(container.GPUS, runtime, there)  # type: ignore[index]
    monkeypatch.setattr(container, "RENDER", str(tmp_path) if device == container.RENDER else "")
    monkeypatch.setattr(container, "intel_there", lambda: True)
    words = Container("image", runtime).command(["python3", "tune"], tmp_path / "runs" / "unet")
    assert " ".join(flags) in " ".join(words[: words.index("image")])


@pytest.mark.parametrize("runtime", container.RUNTIMES)
def test_what_only_draws_is_no_gpu(runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's /dev/dri, of the card that its console is on."""
    monkeypatch.setattr(container, "RENDER", str(tmp_path))
    monkeypatch.setitem(container.GPUS, runtime, {str(tmp_path): ("--gpu",)})  # type: ignore[index]
    monkeypatch.setattr(container, "intel_there", lambda: False)
    assert "--gpu" not in Container("image", runtime).command(["python3", "tune"], tmp_path / "runs" / "unet")


def test_enroot_starts_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small program plays enroot, which starts programs in the root folder."""
    a_command(tmp_path / "bin", "enroot", 'while [ "$1" != image ]; do shift; done; shift; cd /; exec "$@"')
    here = tmp_path / "a b"
    here.mkdir()
    monkeypatch.chdir(here)
    words = Container("image", "enroot").command(["pwd"], tmp_path / "runs" / "unet")
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    said = subprocess.run(words, env={"PATH": path}, capture_output=True, text=True, check=True).stdout
    assert said == f"{here}\n"


def test_a_link_that_was_typed_is_there_inside(bare: Path) -> None:
    (bare / "far").mkdir()
    (bare / "link").symlink_to(bare / "far")
    for typed in (f"{bare}/link", "../link", f"'{bare}/link'"):
        found = binds(["tune", f"data.root={typed}"], bare / "runs" / "unet")
        assert found[f"{bare}/far"] == f"{bare}/far"
        assert found[f"{bare}/link"] == f"{bare}/far"
    (bare / "home" / "data").symlink_to(bare / "far")
    found = binds(["tune", "data.root=data"], bare / "runs" / "unet")
    assert found[f"{bare}/far"] == f"{bare}/far"
    assert f"{bare}/home/data" not in found  # it is there with the folder that it is in


def test_what_is_yet_to_be_created_is_created_outside(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / "disk").mkdir()
    monkeypatch.setenv("DISK", f"{bare}/disk")
    monkeypatch.setenv("VMSBENCH_BINDS", "$DISK/cache:/nowhere/at/all:~/weights.pth")
    assert f"{bare}/disk" in binds(["tune"], bare / "runs" / "unet")
    monkeypatch.setenv("VMSBENCH_BINDS", "$DISK/a/b/cache")
    found = binds(["tune"], bare / "runs" / "unet", further=["/usr/cache"])
    assert f"{bare}/disk" in found
    assert "/usr" not in found
    assert str(bare) in binds(["tune"], bare / "runs" / "unet", further=[f"{bare}/other/one"])


def test_the_configuration_names_what_the_container_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever way it was typed: in a preset, in Hydra's quotes, with ~."""
    for name in ("pictures", "weights.pth", "home", "home/weights", "own"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", f"{tmp_path}/home")
    monkeypatch.setenv("TORCH_HOME", f"{tmp_path}/torch")
    monkeypatch.chdir(tmp_path / "own")
    settings = {
        "data": {"_target_": "vmsbench.data.folder.folder", "root": f"{tmp_path}/pictures", "images": "images"},
        "fid": {"weights": "~/weights", "required": False},
        "encoder": {"parts": [{"weights": "../weights.pth"}]},
        "tracker": {"uri": f"sqlite:///{tmp_path}/home/store.db"},
        "cache": "$SCRATCH/cache",
        "store": "sqlite:///$SCRATCH/mlflow.db",
        "price": "5 $",
        "launcher": {"folder": f"{tmp_path}/jobs"},
    }
    assert configured(settings) == [
        *(f"{tmp_path}/pictures", f"{tmp_path}/home/weights", f"{tmp_path}/weights.pth", f"{tmp_path}/home"),
        *("$SCRATCH/cache", "$SCRATCH"),
    ]


def print_of(monkeypatch: pytest.MonkeyPatch, *more: str) -> Called:
    tune = ("tune", "--exp", "unet", "launcher=slurm", "launcher.container=image", "--print", *more)
    monkeypatch.setattr("sys.argv", ["vmsbench", *tune])
    return called(*tune)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of a machine that has commands of Slurm."""
    for name in ("sbatch", "srun"):
        a_command(tmp_path / "bin", name, "exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_job_knows_the_paths_of_a_preset(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cluster / "own" / "preset").mkdir(parents=True)
    (cluster / "pictures").mkdir()
    preset = f"# @package _global_\ndata:\n  root: {cluster}/pictures\n"
    (cluster / "own" / "preset" / "mine.yaml").write_text(preset)
    monkeypatch.setenv("VMSBENCH_CONF", str(cluster / "own"))
    said = print_of(monkeypatch, "data=folder", "preset=mine", "launcher.runtime=podman").out
    assert f"export VMSBENCH_BINDS={cluster}/pictures" in said


@pytest.mark.parametrize("name", ["a:b", "a,b"])
def test_a_path_that_no_runtime_can_bind_is_refused(name: str, cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cluster / name).mkdir()
    monkeypatch.chdir(cluster / name)
    refused(print_of(monkeypatch, "data=standin", "launcher.runtime=podman"), "a container cannot have")
    monkeypatch.chdir(cluster)
    more = ("data=folder", f"data.root={cluster}/{name}", "launcher.runtime=podman")
    refused(print_of(monkeypatch, *more), "a container cannot have")


def test_the_image_has_what_searchers_and_encoders_need() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.findall(r"pip install .*/opt/vmsbench\[(.+)\]", (ROOT / "slurm" / "vmsbench.def").read_text())
    assert named[0].split(",") == ["encoders", "search", "tpe"]
    assert set(named[0].split(",")) <= set(extras)


def test_a_driver_inside_submits_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4")
    monkeypatch.setenv("VMSBENCH_ELASTIC", "2,3,0")
    monkeypatch.setenv("VMSBENCH_IDLE", "60")
    assert demand_of(tmp_path) is not None
    monkeypatch.setenv("VMSBENCH_CONTAINER", "image")
    assert demand_of(tmp_path) is None


def test_print_shows_what_goes_inside(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cluster / "image.sif").touch()
    image = ("data=standin", "launcher.container=image.sif")
    said = print_of(monkeypatch, *image, "launcher.runtime=apptainer").out
    assert f"export VMSBENCH_CONTAINER={cluster}/image.sif" in said
    assert "# the job starts it in the container, with the scratch folder and the variables of its node: " in said
    assert f": apptainer exec --pwd={cluster}" in said
    assert "--nv where /dev/nvidiactl is" in said
    refused(print_of(monkeypatch, *image, "launcher.runtime=docker"), "launcher.runtime is docker")


def begin_inside(node: Node, script: str, **environment: str) -> "subprocess.Popen[str]":
    """The supervisor, and in a container a vmsbench that is this script; no command of Slurm is there inside."""
    image, outside = node.folder / "image", node.folder / "real"
    a_command(image, "child", script)
    hide = shlex.quote(f'mount --bind {image} {node.programs} && exec "$@"')
    runtime = f'while [ "$1" != image ]; do shift; done; shift; exec unshare -m sh -c {hide} inside "$@"'
    a_command(node.programs, "apptainer", runtime)
    outside.mkdir()
    for name in ("sh", "bash", "mount", "unshare", "touch", "sleep"):
        (outside / name).symlink_to(f"/usr/bin/{name}")
    where = {"PATH": f"{node.programs}:{outside}", "VMSBENCH_CONTAINER": "image", "VMSBENCH_RUNTIME": "apptainer"}
    return node.begin(**where, **environment)


@needs_root
def test_what_trains_sees_no_slurm_and_the_supervisor_does(tmp_path: Path) -> None:
    node = Node(tmp_path)
    begun = begin_inside(node, f"command -v squeue scontrol > {tmp_path}/seen; exit 75")
    said, _ = begun.communicate(timeout=60)
    assert begun.returncode == 75, said
    assert (tmp_path / "seen").read_text() == ""
    assert node.requeued(), said


@needs_root
def test_a_signal_reaches_what_trains(tmp_path: Path) -> None:
    node = Node(tmp_path)
    begun = begin_inside(node, leaves_unfinished(tmp_path))
    node.ready()
    begun.send_signal(signal.SIGUSR1)
    said, _ = begun.communicate(timeout=60)
    assert begun.returncode == 75, said
    assert (tmp_path / "said").read_text() == "saving\n"
    assert node.requeued(), said


@needs_root
def test_the_driver_of_an_elastic_sweep_has_its_address_from_outside(tmp_path: Path) -> None:
    """That of this machine's own name may be 127.0.1.1, as Debian writes it, where no worker can join."""
    node = Node(tmp_path)
    a_command(node.programs, "scontrol", '[ "$2" != node ] || echo "NodeName=n1 NodeAddr=10.1.2.3"')
    begun = begin_inside(node, f'echo "$VMSBENCH_ADDRESS" > {tmp_path}/address', VMSBENCH_ELASTIC="1,1,0")
    said, _ = begun.communicate(timeout=60)
    assert begun.returncode == 0, said
    assert (tmp_path / "address").read_text() == "10.1.2.3\n"


def test_a_node_without_the_runtime_says_so(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.vmsbench("exit 0")
    begun = node.begin(VMSBENCH_CONTAINER="image", VMSBENCH_RUNTIME="enroot")
    said, _ = begun.communicate(timeout=60)
    assert begun.returncode == 2, said
    assert "enroot is not on this node" in said
