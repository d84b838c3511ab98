"""The folder of a sweep: where its files lie, the one way to write them, and the checked way to read them.

    sweep.json         what is searched, and how
    journal.jsonl      a line per event (vmsbench.store.journal)
    jobs.jsonl         a line per event of its jobs on a cluster (vmsbench.store.job_events)
    workers/           how the workers of an elastic sweep ended, a file for each
    splits.json        which image is in which split
    provenance.json    what was read from where
    people.json        how well people agree on the maps, where the data tell
    baselines.json     scores of maps that ignore the image
    tradeoff.json      scores by numbers of samples and steps
    mlflow.json        what was pushed to which MLflow store
    requests/          what users asked for that its owner has not read yet, a file for each
    .ray-head.json     the address of its Ray, for the workers of an elastic sweep
    trials/ID/         an experiment each (vmsbench.store.experiment_folder)
    final/ID/          likewise
    ensemble/          likewise, but its config.json names the finals that predict together

A typed view of all of it is `vmsbench.store.reader.read_sweep`. Reading never writes.
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmsbench.errors import UserError
from vmsbench.files import read_json, save_json
from vmsbench.store.documents import read_checked_document, read_document
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.store.journal import Journal
from vmsbench.versions import SCHEMA

ABOUT = "sweep.json"
SPLITS, BASELINES = "splits.json", "baselines.json"
PROVENANCE, PEOPLE, TRADEOFF = "provenance.json", "people.json", "tradeoff.json"
PUSHED, RAY_HEAD, REQUESTS = "mlflow.json", ".ray-head.json", "requests"
TRIALS, FINALS, ENSEMBLE = "trials", "final", "ensemble"


@dataclass(frozen=True)
class SweepFolder:
    """The files of the sweep in the folder `path`, which need not exist yet."""

    path: Path

    @property
    def begun(self) -> bool:
        """Whether it says what is searched."""
        return (self.path / ABOUT).is_file()

    @property
    def journal(self) -> Journal:
        return Journal(self.path)

    @property
    def public_files(self) -> tuple[Path, ...]:
        """What describes the sweep as a whole: for a tracker."""
        return (self.path / ABOUT, self.journal.path, self.path / SPLITS, self.path / BASELINES)

    def trial(self, name: str) -> ExperimentFolder:
        return ExperimentFolder(self.path / TRIALS / name)

    def final(self, name: str) -> ExperimentFolder:
        return ExperimentFolder(self.path / FINALS / name)

    @property
    def ensemble(self) -> ExperimentFolder:
        return ExperimentFolder(self.path / ENSEMBLE)

    def experiments(self) -> Iterator[ExperimentFolder]:
        """Its trials and finals, by name."""
        for kind in (TRIALS, FINALS):
            yield from map(ExperimentFolder, sorted(self.path.glob(f"{kind}/[!.]*")))

    def finished_finals(self) -> list[ExperimentFolder]:
        """The finals that have results, by name."""
        finals = map(ExperimentFolder, sorted(self.path.glob(f"{FINALS}/[!.]*")))
        return [final for final in finals if final.finished]

    def about(self) -> dict[str, Any]:
        """What sweep.json says. Raises UserError where it cannot be read: without it nothing else has a meaning."""
        about = read_checked_document(self.path / ABOUT)
        if not about:
            raise UserError(
                f"{self.path / ABOUT} cannot be read; restore it, or move {self.path} out of {self.path.parent}"
            )
        return about

    def check_schema(self) -> None:
        """Raises UserError for a sweep of another schema; not for one that has no sweep.json yet."""
        read_checked_document(self.path / ABOUT)

    def write_about(self, about: Mapping[str, Any]) -> None:
        save_json(self.path / ABOUT, {"schema": SCHEMA} | dict(about))

    def document(self, name: str) -> dict[str, Any]:
        """SPLITS, BASELINES, PROVENANCE, PEOPLE, TRADEOFF, PUSHED or RAY_HEAD; empty where it is not there."""
        return read_document(self.path / name)

    def write_document(self, name: str, document: Mapping[str, Any]) -> None:
        save_json(self.path / name, document)

    def remove_document(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def write_request(self, request: Mapping[str, Any]) -> None:
        """Leave a request for the owner of the sweep; requests are read in the order in which they were written."""
        (self.path / REQUESTS).mkdir(exist_ok=True)
        save_json(self.path / REQUESTS / f"{time.time_ns()}-{secrets.token_hex(4)}.json", request)

    def requests(self) -> Iterator[dict[str, Any]]:
        """The requests that were not removed, each with its name as `request`."""
        for file in sorted((self.path / REQUESTS).glob("[0-9]*.json")):
            with suppress(FileNotFoundError):
                yield {"request": file.stem, **read_json(file)}

    def remove_request(self, name: str) -> None:
        self.remove_document(f"{REQUESTS}/{name}.json")
