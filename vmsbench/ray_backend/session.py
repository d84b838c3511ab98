"""Ray in this process: a private one on this machine, or a cluster's that it joins.

Measured: `ray.init()` without an address may join another user's cluster; Ray takes 5 s to end what it has started.
"""

import atexit
import functools
import logging
import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vmsbench.ray_backend import ENVIRONMENT

os.environ.update(ENVIRONMENT)

import ray
from ray import _raylet
from ray._private import ray_constants
from ray._private import worker as ray_worker
from ray._private.node import Node

from vmsbench import accelerators
from vmsbench.errors import UserError
from vmsbench.launch.environment import drop_unusable_threads
from vmsbench.processes import descendants, kill
from vmsbench.ray_backend.cluster import ALONE, LOOPBACK, PRIVATE, system_config
from vmsbench.ray_backend.private_dir import private_folder, remove_leftovers
from vmsbench.signals import SIGNALS, deferred


def silence(*_: Any, **__: Any) -> None:
    """In place of Ray's printer, which puts paragraphs about each lost node into a job's log."""


ray_worker.print_to_stdstream = silence


def read_environment() -> None:
    """Let Ray read its variables again: a program may have imported or used it before us, with others."""
    _raylet.Config.initialize("")  # type: ignore[attr-defined]
    if loader := getattr(_raylet, "AuthenticationTokenLoader", None):  # Ray 2.40 knows no token
        loader.instance().reset_cache()


@functools.cache
def own_token() -> Path:
    """A file, readable by its owner alone, with the secret of this process's clusters."""
    private = private_folder()
    atexit.register(shutil.rmtree, private, ignore_errors=True)
    token = private / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    return token


@contextmanager
def local_cluster(cpus: int, gpus: int, niceness: int = 0) -> Iterator[None]:
    """A private Ray on this machine; stopped after the block, its files removed. Raises UserError where one runs.

    Its processes never see the signals that ask us to stop, although a job's end or `timeout` sends them to all
    descendants: the driver first lets the trials save, then stops Ray.
    """
    refuse_another()
    remove_leftovers()
    drop_unusable_threads()  # where it is unset, Ray gives each trial a thread for each of its CPUs
    private = private_folder()
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(own_token())
    read_environment()
    for name in ("ray", "ray.tune"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    expect_no_other_node()
    accelerators.name_for_ray()
    with deferred(SIGNALS):
        ray.init(
            address="local",
            num_cpus=cpus,
            num_gpus=gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=200_000_000,
            _system_config=system_config(niceness),
            _temp_dir=str(private / "ray"),
        )
    try:
        yield
    finally:
        stop_ray()
        shutil.rmtree(private, ignore_errors=True)


def refuse_another() -> None:
    if ray.is_initialized():
        raise UserError("this program uses Ray already, and a sweep starts its own: call ray.shutdown() before it")


def stop_ray() -> None:
    """Stop the Ray that this process has started. Its own way gives each of five processes a second to end by SIGTERM,
    to which they are deaf."""
    node = ray_worker._global_node
    if node is not None:
        node.kill_all_processes = lambda **_: kill_processes(node)
    ray.shutdown()


def kill_processes(node: Node) -> None:
    """In place of the node's method of the same purpose: kill what it has started, and what that has."""
    started = [one.process for several in node.all_processes.values() for one in several]
    node.all_processes.clear()
    for process in started:
        process.send_signal(signal.SIGSTOP)  # none starts another one meanwhile
    kill([pid for process in started for pid in (process.pid, *descendants(process.pid))], 5.0)
    for process in started:
        process.poll()


def expect_no_other_node() -> None:
    """Let Ray listen on the loopback interface alone; it has read the variable as it was imported."""
    os.environ |= ALONE
    ray_constants.ENABLE_RAY_CLUSTER = False


@contextmanager
def joined(address: str, token: Path) -> Iterator[None]:
    """The Ray at `address`, which another process stops."""
    refuse_another()
    os.environ |= PRIVATE | {"RAY_AUTH_TOKEN_PATH": str(token)}
    read_environment()
    accelerators.name_for_ray()
    if address.startswith(f"{LOOPBACK}:"):
        expect_no_other_node()
    for name in ("ray", "ray.tune"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with deferred(SIGNALS):
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


def nodes_there() -> int:
    """How many nodes of the joined Ray offer resources to trials."""
    return len(joined_shares())


def joined_shares() -> list[tuple[int, int]]:
    """The CPUs and GPUs of each node of the joined Ray that offers some to trials."""
    there = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    return [(int(one["CPU"]), int(one.get("GPU", 0))) for one in there]
