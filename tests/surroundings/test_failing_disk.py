"""A disk that fails now and then: what passes is not noticed, what does not is one line that names the file."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Called, refused
from tests.support.data.data_folders import write_pairs
from tests.support.sweep_maker import make_sweep
from tests.support.sweeps.in_process import CONFIG
from vmsbench.files import read_json, save_json

ROOT = Path(__file__).parents[2]
SECOND_TRY, NEVER = 1, 1000  # reads that fail before one succeeds: of three tries the first, or all
STEPS = """
import json, os, sys
from tests.support.command_line import called
for part, reads, arguments in json.loads(sys.argv[1]):
    os.environ |= {"DISK_PATH": part, "DISK_READS": str(reads)}
    end = called(*arguments)
    print(json.dumps([end.code, end.out, end.err]), file=sys.__stdout__)
"""
Broken = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Broken:
    """The environment in which the files whose names have `part` in them fail: EIO, in so many reads and writes."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    shim = tmp_path_factory.mktemp("shim") / "failing_disk.so"
    source = ROOT / "tests" / "support" / "processes" / "failing_disk.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)

    def environment(part: str, reads: int = 0, **more: str) -> dict[str, str]:
        error = {"DISK_ERRNO": str(errno.EIO), "DISK_READS": str(reads)}
        return {"LD_PRELOAD": str(shim), "DISK_PATH": part, **error, **more}

    return environment


def python(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def trained(folder: Path, **environment: str) -> dict[str, Any]:
    """The results of a training in a process of its own."""
    folder.mkdir()
    save_json(folder / "config.json", CONFIG)
    done = python("-m", "vmsbench.experiment", folder / "config.json", folder / "out", **environment)
    assert done.returncode == 0, done.stderr
    results = read_json(folder / "out" / "results.json")
    return {name: results[name] for name in ("validation_scores", "epochs", "images_seen")}


def test_a_training_on_a_disk_that_is_slow_and_fails_once_comes_to_the_same(tmp_path: Path, broken: Broken) -> None:
    whole = trained(tmp_path / "whole")
    assert trained(tmp_path / "broken", **broken("/out/", DISK_TIMES="1", DISK_SLOW="2000")) == whole


def commands(broken: Broken, *steps: tuple[str, int, list[object]]) -> list[Called]:
    """How commands end, one after the other in a process of its own: the part of a name, the reads that fail, it."""
    done = python("-c", STEPS, json.dumps([[part, reads, [*map(str, given)]] for part, reads, given in steps]),
                  **broken("nothing"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [Called(*json.loads(line)) for line in done.stdout.splitlines()]


def read(root: Path, cache: Path, environment: dict[str, str], **settings: Any) -> str:
    """What reading a folder of pairs ends with, in a process of its own: its digest, or the last line of an error."""
    settings = {"root": str(root), "cache": str(cache), "size": 16, **settings}
    program = f"from vmsbench.data.folder import folder; print(folder(**{settings!r}).digest)"
    done = python("-c", program, **environment)
    return done.stdout.strip() or done.stderr.splitlines()[-1]


def remembered(cache: Path) -> set[str]:
    """The digests of files that a cache holds, each once."""
    return {entry[-1] for file in cache.glob("files-*.json") for entry in json.loads(file.read_bytes()).values()}


def test_a_file_that_once_cannot_be_read_for_its_digest_has_the_digest_that_it_has(
    tmp_path: Path, broken: Broken
) -> None:
    write_pairs(tmp_path / "set", 6)
    time.sleep(2.1)  # the cache remembers no file that was changed a moment ago
    whole = read(tmp_path / "set", tmp_path / "whole", {})
    assert len(whole) == 32
    assert read(tmp_path / "set", tmp_path / "cache", broken("maps/pic03.png", SECOND_TRY)) == whole
    assert remembered(tmp_path / "cache") == remembered(tmp_path / "whole")
    thrice = read(tmp_path / "set", tmp_path / "other", broken("maps/pic03.png", 3))  # decoding works again
    assert thrice.startswith(f"vmsbench.data.cache.UnhashedFiles: {tmp_path}/set/maps/pic03.png cannot be read (Input")
    assert not remembered(tmp_path / "other")
    (memory,) = (tmp_path / "cache").glob("files-*.json")
    kept = json.loads(memory.read_bytes())
    kept[str(tmp_path / "set" / "maps" / "pic03.png")][-1] = "unreadable"
    memory.write_text(json.dumps(kept))
    assert read(tmp_path / "set", tmp_path / "cache", {}) == whole


def test_a_file_that_can_never_be_read_is_named_whichever_folder_it_is_in(tmp_path: Path, broken: Broken) -> None:
    write_pairs(tmp_path / "set", 6)
    said = read(tmp_path / "set", tmp_path / "cache", broken("maps/pic03.png", NEVER))
    assert said.endswith(f"1 bad file in {tmp_path}/set: pic03.png: map unreadable (Input/output error)")
    shutil.copytree(tmp_path / "set" / "maps", tmp_path / "set" / "looked")
    said = read(tmp_path / "set", tmp_path / "cache", broken("looked/pic03.png", 3), fixations="looked")
    assert said.endswith("looked/pic03.png: cannot be read (Input/output error)")


def test_what_commands_read_is_read_again_or_named(tmp_path: Path, broken: Broken) -> None:
    runs, root, pictures = tmp_path / "runs", tmp_path / "set", tmp_path / "set" / "images"
    make_sweep(runs, "gan", seeds=1)
    write_pairs(root, 12)
    (root / "test.txt").write_text("pic01.png\npic02.png\n")
    train = ["train", "--exp", "unet", "preset=quick", "data=folder", "data.size=16", f"data.root={root}", "device=cpu",
             "data.test=test.txt", "tracker=none", "trainer.epochs=1", "trainer.batch_size=4", "model.network.width=4",
             "--runs", tmp_path / "t"]  # fmt: skip
    status, check = ["status", "--runs", runs], ["data", "check", root, "--json"]
    plain, journal, journal_lost, results, results_lost, checked, list_lost, made = commands(
        broken,
        ("", 0, status),
        ("journal.json", SECOND_TRY, status),
        ("journal.jsonl", NEVER, status),
        ("results.jso", SECOND_TRY, status),
        ("results.json", NEVER, status),
        ("maps/pic05", SECOND_TRY, check),
        ("test.txt", NEVER, check),
        ("test.t", SECOND_TRY, train),
    )
    assert journal == results == plain
    refused(journal_lost, f"{runs}/gan/journal.jsonl: Input/output error")
    refused(results_lost, "results.json: Input/output error")
    assert checked.code == 0
    assert json.loads(list_lost.out)["problems"][0]["reason"] == "cannot be read (Input/output error)"
    assert made.code == 0
    (model,) = (tmp_path / "t").rglob("results.json")
    predict = ["predict", pictures, "--model", model.parent, "--device", "cpu", "--out"]
    once, lost, settled, unsettled = commands(
        broken,
        ("pic07.pn", SECOND_TRY, [*predict, tmp_path / "once"]),
        ("pic07.png", NEVER, [*predict, tmp_path / "lost"]),
        ("checkpoint.p", SECOND_TRY, [*predict, tmp_path / "settled"]),
        ("checkpoint.pt", NEVER, [*predict, tmp_path / "unsettled"]),
    )
    assert once.code == settled.code == 0
    assert lost.code == 1
    assert "pic07.png: unreadable (Input/output error)" in lost.err
    refused(unsettled, "checkpoint.pt", "Input/output error")
