"""A real Slurm on this host: munge, slurmctld and several slurmd, each node in namespaces of its own.

    python tests/slurm/lab.py up /tmp/lab --nodes 2 --gpus 2         # prints export SLURM_CONF=...
    python tests/slurm/lab.py down /tmp/lab

As root, with Debian's packages (`packages`). A node has its own network, host name, processes and /tmp/scratch-like
disk; killing the process that holds its namespaces is a power cut. Its GPUs are /dev/null under another name: Slurm
hands them out as it hands out real ones. Everything stops by the process ids that were written down at its start, and
dies with the process that brought the lab up, unless that was `up`. What such a death leaves (a bridge, a folder) is
swept away at the next start: the bridge's alias tells whose it is.
"""

import argparse
import contextlib
import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

COMMANDS = {
    "munged": "munge",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "ip": "iproute2",
    "unshare": "util-linux",
}
ALIAS = "vmsbench-lab"
MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")
PBS = {"qsub": "slurm-wlm-torque"}
ACCOUNTING = {"slurmdbd": "slurmdbd", "mariadbd": "mariadb-server", "mariadb-install-db": "mariadb-server"}


def packages(accounting: bool = False, pbs: bool = False) -> list[str]:
    """The Debian packages that are missing here."""
    wanted = COMMANDS | (ACCOUNTING if accounting else {}) | (PBS if pbs else {})
    return sorted({package for command, package in wanted.items() if shutil.which(command, path=SEARCHED) is None})


SEARCHED = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def obstacle(accounting: bool = False, pbs: bool = False) -> str | None:
    """Why no lab can be brought up here; None where it can."""
    if os.geteuid() != 0:
        return "a Slurm of one's own needs root"
    missing = packages(accounting, pbs)
    if missing:
        return f"not installed: apt-get install --no-install-recommends {' '.join(missing)}"
    probe = ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "true"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return "namespaces are refused here: run the container with --privileged"
    return None


def can_guard() -> bool:
    """Whether jobs can be held to their memory here."""
    return MEMORY_GROUPS.is_dir()


def begun(pid: int) -> str:
    """When a process began, as Linux counts it: a number alone may come back. Empty where it is dead."""
    with contextlib.suppress(OSError):
        state, *facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if state in "ZX" else facts[18]
    return ""


def first_closed(path: Path) -> Path | None:
    """The outermost folder around a path that only its owner may enter."""
    return next((folder for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001), None)


def die_with_parent() -> None:
    """Linux's prctl(PR_SET_PDEATHSIG, SIGKILL), in a new process."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


def sweep() -> None:
    """Take down the labs whose owners are dead."""
    for link in json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, check=True).stdout):
        kind, _, owner = link.get("ifalias", "").partition(" ")
        if kind != ALIAS:
            continue
        pid, began, folder = owner.split(" ", 2)
        if began and begun(int(pid)) != began:
            Lab(Path(folder)).down()
            subprocess.run(["ip", "link", "del", link["ifname"]], capture_output=True, check=False)
            shutil.rmtree(folder, ignore_errors=True)


class Lab:
    """One cluster in one folder.

    accounting  slurmdbd and its database
    guarded     a job that takes more memory than it has asked for is ended (version 1 of the kernel's control groups)
    remembers   seconds after its end for which slurmctld knows of a job
    stays       after the process that brings it up, until `down`
    """

    def __init__(
        self,
        folder: Path,
        nodes: int = 2,
        gpus: int = 2,
        cpus: int = 8,
        accounting: bool = False,
        guarded: bool = False,
        remembers: int = 3600,
        stays: bool = False,
    ) -> None:
        self.folder, self.nodes, self.gpus, self.cpus, self.accounting = folder, nodes, gpus, cpus, accounting
        self.guarded, self.remembers, self.stays = guarded, remembers, stays
        self.host = socket.gethostname().split(".")[0]

    @property
    def conf(self) -> Path:
        return self.folder / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """What a user of the cluster has in the environment."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
        return kept | {"SLURM_CONF": str(self.conf), "PATH": SEARCHED}

    def run(self, *command: str | Path, check: bool = True, **more: object) -> "subprocess.CompletedProcess[str]":
        options = {"env": self.environment, "capture_output": True, "text": True, "timeout": 120} | more
        options["preexec_fn"] = die_with_parent
        done = subprocess.run([str(word) for word in command], check=False, **options)  # type: ignore[call-overload]
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    # Up and down

    def up(self) -> None:
        for name in ("log", "state", "spool", "run", "dev", "nodes", "s"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        (self.folder / "s").chmod(0o1777)
        self.network()
        self.configure()
        self.munge()
        if self.accounting:
            self.database()
        self.begin("slurmctld", "slurmctld", "-D", "-f", self.conf)
        for number in range(1, self.nodes + 1):
            self.start_node(number)
        self.wait_for(lambda: len(self.ready()) == self.nodes, "every node to be idle", 60)

    def down(self) -> None:
        """Stop all that was started, jobs first. What is gone already is no error."""
        if self.alive("slurmctld"):
            with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
                self.run(
                    "bash", "-c", "scancel --full $(squeue -h -o %A | sort -u) 2>/dev/null", check=False, timeout=10
                )
                self.wait_for(lambda: not self.run("squeue", "-h").stdout, "the jobs to end", 15)
        for file in sorted((self.folder / "run").glob("node-*.pid")):
            self.stop(file.stem, signal.SIGKILL)
        for daemon in ("slurmctld", "slurmdbd", "mariadbd", "munged"):
            self.stop(daemon, signal.SIGTERM)
        if self.guarded:
            for number in range(1, self.nodes + 1):
                group = MEMORY_GROUPS / f"slurm_n{number}"
                for empty in (*sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True), group):
                    with contextlib.suppress(OSError):
                        empty.rmdir()
        bridge = self.folder / "run" / "bridge"
        if bridge.exists():
            subprocess.run(["ip", "link", "del", bridge.read_text().split()[0]], capture_output=True, check=False)

    def network(self) -> None:
        """A bridge with a subnet that nobody has; whoever makes it first has it."""
        taken = subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True, check=True).stdout
        for subnet in range(77, 250):
            self.bridge, self.net, self.port = f"vsl{subnet}", f"10.77.{subnet}", 6000 + 10 * subnet
            add = ["ip", "link", "add", self.bridge, "type", "bridge"]
            if f"{self.net}." not in taken and subprocess.run(add, capture_output=True, check=False).returncode == 0:
                break
        (self.folder / "run" / "bridge").write_text(f"{self.bridge} {self.net}\n")
        owner = "0 " if self.stays else f"{os.getpid()} {begun(os.getpid())}"
        alias = ["ip", "link", "set", self.bridge, "alias", f"{ALIAS} {owner} {self.folder}"]
        subprocess.run(alias, check=True)
        for words in (f"addr add {self.net}.1/24 dev {self.bridge}", f"link set {self.bridge} up"):
            subprocess.run(["ip", *words.split()], check=True)
        hosts = ["127.0.0.1 localhost", f"{self.net}.1 {self.host}"]
        hosts += [f"{self.net}.{10 + number} n{number}" for number in range(1, self.nodes + 1)]
        (self.folder / "hosts").write_text("\n".join(hosts) + "\n")

    def configure(self) -> None:
        """slurm.conf, gres.conf and the devices; what each odd setting is for stands in the house's notes on Slurm."""
        run, log, names = self.folder / "run", self.folder / "log", f"n[1-{self.nodes}]"
        store = (
            f"AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost={self.net}.1\n"
            f"AccountingStoragePort={self.port + 1}\nAccountingStoragePass={run}/munge.socket\n"
            "AccountingStorageTRES=gres/gpu"
            if self.accounting
            else "AccountingStorageType=accounting_storage/none"
        )
        self.conf.write_text(f"""
ClusterName=lab
SlurmctldHost={self.host}({self.net}.1)
SlurmctldPort={self.port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={run}/munge.socket,cred_expire=5
CredType=cred/munge
SlurmctldPidFile={run}/slurmctld.pid
SlurmdPidFile={self.folder}/spool/%n/slurmd.pid
SlurmdSpoolDir={self.folder}/spool/%n
StateSaveLocation={self.folder}/state
SlurmctldLogFile={log}/slurmctld.log
SlurmdLogFile={log}/slurmd-%n.log
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
GresTypes=gpu
ProctrackType=proctrack/linuxproc
TaskPlugin=task/{"cgroup" if self.guarded else "none"}
JobAcctGatherType=jobacct_gather/linux
MpiDefault=none
PropagateResourceLimits=NONE
ReturnToService=2
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=5
SlurmctldTimeout=10
SlurmdTimeout=20
MessageTimeout=10
MinJobAge={self.remembers}
MaxArraySize=3
EnforcePartLimits=ALL
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2,batch_sched_delay=1,sched_min_interval=0
{store}
""")
        with self.conf.open("a") as conf:
            for number in range(1, self.nodes + 1):
                gres = f"Gres=gpu:{self.gpus} " if self.gpus else ""
                conf.write(
                    f"NodeName=n{number} NodeHostname=n{number} NodeAddr={self.net}.{10 + number} Port=6818 "
                    f"CPUs={self.cpus} RealMemory=20000 {gres}State=UNKNOWN\n"
                )
            partition = f"Nodes={names} MaxTime=INFINITE DefaultTime=30 State=UP"
            short = f"Nodes={names} MaxTime=5 DefaultTime=5 State=UP"
            conf.write(f"PartitionName=low {partition} Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=10\n")
            conf.write(f"PartitionName=short {short} PriorityTier=1\n")
            conf.write(f"PartitionName=high {partition} PriorityTier=10 PreemptMode=OFF\n")
        devices = [self.folder / "dev" / f"gpu{number}" for number in range(self.gpus)]
        (self.folder / "gres.conf").write_text(
            f"NodeName={names} Name=gpu File={self.folder}/dev/gpu[0-{self.gpus - 1}]\n" if self.gpus else ""
        )
        for device in devices:
            if not device.exists():
                os.mknod(device, 0o666 | 0o020000, os.makedev(1, 3))
        limits = "ConstrainRAMSpace=yes\nConstrainSwapSpace=yes\nAllowedSwapSpace=0\n" if self.guarded else ""
        (self.folder / "cgroup.conf").write_text(f"CgroupPlugin=cgroup/v1\n{limits}")

    def munge(self) -> None:
        run, key = self.folder / "run", self.folder / "munge.key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(secrets.token_bytes(128))
        self.begin(
            "munged",
            *("munged", "--foreground", f"--key-file={key}", f"--socket={run}/munge.socket", "--force"),
            *(f"--pid-file={run}/munge.pid", f"--seed-file={run}/munged.seed"),
        )
        self.wait_for((run / "munge.socket").exists, "munged", 10)

    def database(self) -> None:
        """MariaDB and slurmdbd, for sacct."""
        run, log, data = self.folder / "run", self.folder / "log", self.folder / "mysql"
        self.run(
            *("mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}"),
            *("--auth-root-authentication-method=normal", "--skip-test-db"),
        )
        self.begin(
            "mariadbd",
            *("mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={run}/mysql.sock"),
            *(f"--pid-file={run}/mysql.pid", "--skip-networking", "--innodb-buffer-pool-size=64M"),
            *("--innodb-lock-wait-timeout=900", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0"),
        )
        client = ("mariadb", "--no-defaults", "-uroot", "-S", run / "mysql.sock", "-e")
        self.wait_for(lambda: self.run(*client, "select 1", check=False).returncode == 0, "the database", 60)
        self.run(
            *client,
            "create database slurm; create user slurm@localhost identified by 'slurm'; "
            "grant all on slurm.* to slurm@localhost",
        )
        conf = self.folder / "slurmdbd.conf"
        conf.touch(mode=0o600)
        conf.write_text(f"""
AuthType=auth/munge
AuthInfo=socket={run}/munge.socket
DbdHost={self.host}
DbdAddr={self.net}.1
DbdPort={self.port + 1}
SlurmUser=root
LogFile={log}/slurmdbd.log
PidFile={run}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
""")
        self.begin("slurmdbd", "slurmdbd", "-D", MYSQL_UNIX_PORT=str(run / "mysql.sock"))
        self.wait_for(
            lambda: self.run("sacctmgr", "-n", "list", "cluster", check=False).returncode == 0, "slurmdbd", 60
        )
        self.run("sacctmgr", "-i", "-Q", "add", "cluster", "lab", check=False)

    # Nodes

    def start_node(self, number: int) -> None:
        """Switch a node on: namespaces, a cable to the bridge, slurmd."""
        name, cable = f"n{number}", f"{self.bridge}-{number}"
        own = self.folder / "nodes" / name
        for path in (self.folder / "spool" / name, own):
            path.mkdir(parents=True, exist_ok=True)
        own.chmod(0o1777)
        ready = own / ".wired"
        ready.unlink(missing_ok=True)
        inside = (
            f"hostname {name}; {self.python_for_everybody()}mount --bind {self.folder}/hosts /etc/hosts; "
            f"mount --bind {own} {self.folder}/s; mount -t tmpfs -o mode=1777 shm /dev/shm; "
            f"while [ ! -e {ready} ]; do sleep 0.02; done; slurmd -N {name}; while :; do sleep 1; done"
        )
        holder = self.begin(
            f"node-{name}",
            *("unshare", "--net", "--uts", "--mount", "--propagation", "private", "--pid", "--fork"),
            *("--kill-child", "--mount-proc", "bash", "-c", inside),
        )
        self.wait_for(lambda: bool(self.children(holder)), f"{name}'s namespaces", 10)
        held = self.children(holder)[0]
        subprocess.run(["ip", "link", "del", cable], capture_output=True, check=False)
        outside = f"link add {cable} type veth peer name eth0 netns {held}"
        for words in (outside, f"link set {cable} master {self.bridge} up"):
            subprocess.run(["ip", *words.split()], check=True)
        for words in ("link set lo up", f"addr add {self.net}.{10 + number}/24 dev eth0", "link set eth0 up"):
            subprocess.run(["nsenter", f"--net=/proc/{held}/ns/net", "ip", *words.split()], check=True)
        ready.touch()

    def python_for_everybody(self) -> str:
        """Shell, for a mount namespace of one's own, after which everybody reaches this Python and vmsbench.

        A folder that only root may enter, such as root's home, is replaced by one with nothing but them.
        """
        needed = {Path(sys.executable).resolve().parents[1], Path(sys.prefix), Path(__file__).parents[2]}
        closed = {path: first_closed(path) for path in sorted(needed)}
        steps, kept = [], self.folder / "run" / "kept"
        for number, (path, shut) in enumerate(closed.items()):
            if shut is not None:
                steps.append(f"mkdir -p {kept}{number} && mount --bind {path} {kept}{number}")
        steps += [f"mount -t tmpfs -o mode=755 none {shut}" for shut in sorted({one for one in closed.values() if one})]
        for number, (path, shut) in enumerate(closed.items()):
            if shut is not None:
                steps.append(f"mkdir -p {path} && mount --bind {kept}{number} {path}")
        return "".join(f"{step} || exit 1; " for step in steps)

    def cut_power(self, number: int) -> None:
        """All of a node's processes are gone at once, without a word to Slurm."""
        self.stop(f"node-n{number}", signal.SIGKILL)

    def on_node(self, number: int, *command: str) -> str:
        """What a command says on a node, among its processes, as root."""
        held = self.children(int((self.folder / "run" / f"node-n{number}.pid").read_text()))[0]
        enter = ["nsenter", "--target", str(held), "--net", "--uts", "--mount", "--pid"]
        return self.run(*enter, *command, check=False).stdout

    def processes(self, number: int, words: str) -> list[int]:
        """The node's processes (in its own numbers) whose command line holds `words`."""
        listed = self.on_node(number, "ps", "-ww", "-eo", "pid,args", "--no-headers").splitlines()
        return [int(line.split()[0]) for line in listed if words in line and "ps -ww" not in line]

    @staticmethod
    def children(pid: int) -> list[int]:
        with contextlib.suppress(OSError):
            return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []

    def ready(self) -> list[str]:
        said = self.run("sinfo", "-h", "-N", "-p", "low", "-t", "idle,mix,alloc", "-o", "%N", check=False).stdout
        return said.split()

    # Processes

    def begin(self, name: str, *command: str | Path, **more: str) -> int:
        """Start what `stop` can stop; returns its number."""
        with (self.folder / "log" / f"{name}.out").open("a") as said:
            process = subprocess.Popen(
                [str(word) for word in command],
                env=self.environment | more,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                preexec_fn=None if self.stays else die_with_parent,
            )
        (self.folder / "run" / f"{name}.pid").write_text(str(process.pid))
        return process.pid

    def pid(self, name: str) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            return int((self.folder / "run" / f"{name}.pid").read_text())
        return None

    def alive(self, name: str) -> bool:
        """Whether it runs; a zombie, which nobody collects where there is no init, does not."""
        return bool(begun(self.pid(name) or 0))

    def stop(self, name: str, how: signal.Signals) -> None:
        pid = self.pid(name)
        if pid is not None and self.alive(name):
            os.kill(pid, how)
            with contextlib.suppress(TimeoutError):
                self.wait_for(lambda: not self.alive(name), f"{name} to stop", 15)
            if self.alive(name):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError, TypeError):
            os.waitpid(pid, os.WNOHANG)  # type: ignore[arg-type]
        (self.folder / "run" / f"{name}.pid").unlink(missing_ok=True)

    def wait_for(self, happened: Callable[[], bool], what: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds:g} s for {what}; logs: {self.folder / 'log'}")
            time.sleep(0.1)

    @contextlib.contextmanager
    def running(self) -> Iterator["Lab"]:
        try:
            sweep()
            self.up()
            yield self
        finally:
            self.down()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["up", "down", "missing"])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("/tmp/vmsbench-lab"))
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--gpus", type=int, default=2)
    parser.add_argument("--cpus", type=int, default=8)
    parser.add_argument("--accounting", action="store_true")
    options = parser.parse_args()
    if options.what == "missing":
        print(" ".join(packages(accounting=True, pbs=True)))
        return
    lab = Lab(options.folder.resolve(), options.nodes, options.gpus, options.cpus, options.accounting, stays=True)
    if options.what == "down":
        lab.down()
        return
    why_not = obstacle(options.accounting)
    if why_not:
        sys.exit(f"error: {why_not}")
    lab.up()
    print(f"export SLURM_CONF={lab.conf}")


if __name__ == "__main__":
    main()
