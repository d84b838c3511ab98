"""The folder of an experiment: where its files lie, the one way to write them, and the checked way to read them.

    config.json         its settings
    history.jsonl       a line per epoch
    starts.jsonl        a line for each time that its training started or continued: where, and with which epoch
    checkpoint.pt       its state; once it is trained, the weights that are kept
    results.json        its scores; exists only when the work is done
    interrupted.json    the epoch and step at which its training last stopped within an epoch
    failure.json        why it failed, until it is started again
    test_reads.jsonl    of a final: a line for each time that it read the test pairs
    scores.csv          of a final: the scores of each test image
    predictions.npz     of a final: its maps of the test images
    samples.png         maps of some validation images

What only shows a folder (status, report, tracking) reads it by `vmsbench.store.experiments`, which tolerates what a
kill leaves.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmsbench.files import append_line, plain, read_json, read_lines, replace, save_json
from vmsbench.store.documents import read_document
from vmsbench.versions import SCHEMA, read_checked

CONFIG, RESULTS, CHECKPOINT = "config.json", "results.json", "checkpoint.pt"
SCORES, PREDICTIONS, PICTURE = "scores.csv", "predictions.npz", "samples.png"
INTERRUPTION, FAILURE = "interrupted.json", "failure.json"


@dataclass(frozen=True)
class ExperimentFolder:
    """The files of the experiment in the folder `path`, which need not exist yet."""

    path: Path

    @property
    def config_file(self) -> Path:
        return self.path / CONFIG

    @property
    def history_file(self) -> Path:
        return self.path / "history.jsonl"

    @property
    def starts_file(self) -> Path:
        return self.path / "starts.jsonl"

    @property
    def results_file(self) -> Path:
        return self.path / RESULTS

    @property
    def checkpoint(self) -> Path:
        return self.path / CHECKPOINT

    @property
    def begun(self) -> bool:
        """Whether it has its settings."""
        return self.config_file.is_file()

    @property
    def finished(self) -> bool:
        """Whether it has its results."""
        return self.results_file.exists()

    def config(self) -> dict[str, Any]:
        """Its settings. Raises UserError for those of another schema, OSError or ValueError where there are none."""
        return {name: value for name, value in read_checked(self.config_file).items() if name != "schema"}

    def write_config(self, config: Mapping[str, Any]) -> None:
        save_json(self.config_file, {"schema": SCHEMA} | dict(config))

    def results(self) -> dict[str, Any]:
        """Its results. Raises as `config`."""
        return read_checked(self.results_file)

    def write_results(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Write the results, which say that it is finished; returns them as `results()` will."""
        written: dict[str, Any] = plain({"schema": SCHEMA} | dict(results))
        save_json(self.results_file, written)
        return written

    def add_start(self, epoch: int, device: str, host: str) -> None:
        """Record that a process trains it from this epoch on."""
        append_line(self.starts_file, {"time": time.time(), "epoch": epoch, "device": device, "host": host})

    def starts(self) -> list[dict[str, Any]]:
        """The lines of `add_start`, the first first."""
        return list(read_lines(self.starts_file))

    def history(self) -> Iterator[dict[str, Any]]:
        """The lines of its epochs, in the order in which they were written."""
        return read_lines(self.history_file)

    def add_epoch(self, record: dict[str, Any]) -> None:
        append_line(self.history_file, record)

    def rewrite_history(self, records: Iterable[dict[str, Any]]) -> None:
        """Replace the history as a whole."""
        lines = "".join(json.dumps(record) + "\n" for record in records)
        replace(self.history_file, lambda file: file.write(lines.encode()))

    def write_interruption(self, epoch: int, step: int) -> None:
        save_json(self.path / INTERRUPTION, {"epoch": epoch, "step": step})

    def interrupted_step(self) -> int:
        """The step at which its training last stopped within an epoch; 0 where it never did, or it cannot be read."""
        with suppress(OSError):
            step = read_document(self.path / INTERRUPTION).get("step")
            return step if isinstance(step, int) else 0
        return 0

    def write_failure(self, failure: Mapping[str, Any]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        save_json(self.path / FAILURE, failure)

    def failure(self) -> dict[str, Any] | None:
        """Why it failed; None where it did not, or was started again. Raises ValueError for a damaged file."""
        file = self.path / FAILURE
        return read_json(file) if file.exists() else None

    def remove_failure(self) -> None:
        (self.path / FAILURE).unlink(missing_ok=True)

    def count_test_read(self, digest: str) -> int:
        """Record that the test pairs of the data with that digest are read now; returns how often they were."""
        reads = self.path / "test_reads.jsonl"
        append_line(reads, {"time": time.time(), "digest": digest})
        return len(list(read_lines(reads)))
