"""MLflow as a tracker of the sweeps' folders. `runs.py` defines what a sweep's runs are.

What was already pushed is recorded in mlflow.json in the sweep's folder. That file may be lost: runs are found again
by their tags, and pushing the same (key, time, step, value) twice changes nothing in MLflow. The store may be lost too:
the next sync fills a new one from the folders.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final
from urllib.parse import unquote, urlsplit, urlunsplit

from vmsbench.config.commands import place
from vmsbench.errors import masked
from vmsbench.store.reader import read_sweep
from vmsbench.store.sweep_folder import PUSHED, SweepFolder
from vmsbench.store.values import mapping
from vmsbench.tracking.mlflow.moved import rename_if_moved
from vmsbench.tracking.mlflow.runs import Record, identity, records
from vmsbench.tracking.tracker import Tracker, TrackingError

QUIET_AND_QUICK = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # the default waits 247 s for a server that is down
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",  # seconds
}
LONGEST = 6000  # characters of a parameter; MLflow refuses more
EXPERIMENT = "vmsbench"
BATCH = 1000  # metrics of one call; MLflow refuses more
PARAMS, TAGS = 100, 100  # likewise


MEANINGS = {
    "SSLError": "its certificate is not trusted here; MLFLOW_TRACKING_SERVER_CERT_PATH=FILE names the one to trust",
    "401 Client Error": "it refuses the user; MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD say who it is",
    "error code 401": "it refuses the user; MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD say who it is",
    "error code 403": "this user may not write there",
    "HTTPConnectionPool": "the server does not answer",
    "HTTPSConnectionPool": "the server does not answer",
}
"""What the first line of an error has in it, and what that means."""


@final
class MlflowTracker(Tracker):
    """A parent run for a sweep, children for its trials and finals, in one experiment.

    uri         where the runs go; else MLFLOW_TRACKING_URI; else sqlite, in mlflow.db next to the sweeps' folders
    artifacts   where the files go: only asked when the experiment is made; else mlartifacts next to mlflow.db; a
                server decides by itself
    experiment  the experiment's name in MLflow
    """

    def __init__(
        self, uri: str | None = None, artifacts: str | Path | None = None, experiment: str = EXPERIMENT
    ) -> None:
        self._uri, self._artifacts, self._experiment = uri, artifacts, experiment
        self._runs = Path("runs")
        self._page = ""

    def sync(self, sweep: Path, alive: bool = True) -> None:
        sweep = Path(sweep).resolve()
        self._runs = sweep.parent
        if not SweepFolder(sweep).begun:
            return
        found = read_sweep(sweep, alive=alive)
        address = self._address()
        try:
            with alone(self._runs):
                if self._artifacts is None and address == default_store(self._runs):
                    rename_if_moved(self._runs, self._experiment)
                ledger = SyncState.read(SweepFolder(sweep), digest_of_store(address))
                store = Store(address, self._experiment, self._artifact_location(address), identity(found))
                self._page = (
                    f"/#/experiments/{store.experiment}/runs?workflowType=machine_learning"  # not the GenAI pages
                )
                store.mirror(records(found), ledger)
        except ImportError as error:
            raise TrackingError(f"MLflow cannot be imported ({error}): `pip install mlflow` or tracker=none") from error
        except Exception as error:  # MLflow lets every library below it log: requests, SQLAlchemy, the system
            raise failure(address, error) from error

    def use(self, runs: Path) -> None:
        self._runs = runs

    def link(self) -> str:
        address = self._address()
        if address.startswith(("http://", "https://")):
            return without_credentials(address)[0].rstrip("/") + self._page
        command = f"vmsbench ui{place(self._runs)}"
        shown = shlex.quote(masked(address))
        by_itself = f"mlflow ui --backend-store-uri {shown}"
        ours = command if address == default_store(self._runs) else f"MLFLOW_TRACKING_URI={shown} {command}"
        return f"{ours}   # or: {by_itself}"

    def _address(self) -> str:
        return where(self._uri, self._runs)

    def _artifact_location(self, address: str) -> str | None:
        if self._artifacts is not None:
            place = str(self._artifacts)
            return place if "://" in place else Path(place).resolve().as_uri()
        if address.startswith("sqlite:"):  # MLflow's own default is ./mlruns of the current folder
            return (self._runs.resolve() / "mlartifacts").as_uri()
        return None


@dataclass
class SyncState:
    """What was pushed of one sweep to one store: by record, the run's id, the last epoch, and digests of the rest."""

    sweep: SweepFolder
    store: str
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, sweep: SweepFolder, store: str) -> "SyncState":
        """What the last sync recorded; empty where it is lost, damaged or about another store."""
        noted = sweep.document(PUSHED)
        return cls(sweep, store, dict(mapping(noted.get("runs"))) if noted.get("store") == store else {})

    def write(self) -> None:
        self.sweep.write_document(PUSHED, {"store": self.store, "runs": self.runs})


class Store:
    """One experiment of one MLflow store, as a place to put records; `experiment` is its id."""

    def __init__(self, address: str, experiment: str, artifacts: str | None, sweep: str) -> None:
        self._client = client_of(address)
        self._sweep = sweep
        known = self._client.get_experiment_by_name(experiment)
        if known is None:
            self.experiment = self._client.create_experiment(experiment, artifacts)
        else:
            self.experiment = known.experiment_id
            if known.lifecycle_stage == "deleted":
                self._client.restore_experiment(known.experiment_id)

    def mirror(self, all_records: Sequence[Record], ledger: SyncState) -> None:
        """Push what `ledger` does not have yet; the first record is the parent of the others."""
        if not self._alive(ledger.runs.get("sweep", {}).get("run")):
            ledger.runs.clear()
        parent = None
        for record in all_records:
            self._push(record, parent, ledger)
            parent = parent or ledger.runs[record.key]["run"]

    def _push(self, record: Record, parent: str | None, ledger: SyncState) -> None:
        present = {path.name: signature(path) for path in record.files if path.is_file()}
        state = hashlib.sha256(json.dumps([asdict(record), present], default=str).encode()).hexdigest()[:16]
        noted = ledger.runs.get(record.key)
        if noted and noted["state"] == state:
            return
        if noted is None or not self._alive(noted["run"]):
            noted = ledger.runs[record.key] = {"run": self._find_or_create(record, parent), "epoch": 0, "files": {}}
            noted["state"] = ""
            ledger.write()
        run = noted["run"]
        self._log(run, record, noted["epoch"], parent)
        for path in record.files:
            if path.name in present and noted["files"].get(path.name) != present[path.name]:
                self._client.log_artifact(run, str(path))
        self._log_slides(run, record, noted)
        if record.model and not noted.get("model"):
            noted["model"] = self._log_model(run, record.model)
        noted |= {"epoch": max((p.step for p in record.curve), default=0), "files": present, "state": state}
        ledger.write()

    def _log(self, run: str, record: Record, epoch: int, parent: str | None) -> None:
        """Metrics after `epoch`, new parameters, tags, and how it ended."""
        from mlflow.entities import Metric, Param, RunTag

        there = self._client.get_run(run)
        if record.status == "RUNNING" != there.info.status:
            self._client.update_run(run, status="RUNNING")
        new = [*(point for point in record.curve if point.step > epoch), *record.summary]
        metrics = [Metric(clean(p.key), p.value, p.time, p.step) for p in new]
        params = [Param(clean(k), v[:LONGEST]) for k, v in record.params.items() if clean(k) not in there.data.params]
        wanted = self._tags(record, parent)
        tags = [RunTag(k, v) for k, v in wanted.items() if there.data.tags.get(k, "") != v]
        for start in range(0, len(params), PARAMS):
            self._client.log_batch(run, params=params[start : start + PARAMS])
        for start in range(0, max(len(metrics), 1), BATCH):
            self._client.log_batch(run, metrics=metrics[start : start + BATCH], tags=tags[:TAGS] if start == 0 else ())
        if record.dataset.get("digest") and not (there.inputs and there.inputs.dataset_inputs):
            self._log_dataset(run, record.dataset)
        if record.status != "RUNNING" and (there.info.status, there.info.end_time) != (record.status, record.ended):
            self._client.set_terminated(run, status=record.status, end_time=record.ended)

    def _log_slides(self, run: str, record: Record, noted: dict[str, Any]) -> None:
        """New pictures, each once: MLflow names them by a random number."""
        from PIL import Image

        if "slides" not in noted:
            there = [file.path for file in self._client.list_artifacts(run, "images")] if record.slides else []
            steps = (re.search(r"[+%]step[+%](\d+)", path) for path in there)
            noted["slides"] = sorted({int(found[1]) for found in steps if found})
        for step, path in record.slides:
            if step not in noted["slides"]:
                with Image.open(path) as picture:
                    self._client.log_image(run, picture, key="samples", step=step, synchronous=True)
                noted["slides"].append(step)

    def _log_model(self, run: str, folder: Path) -> str:
        """The id of the run's model, `model`: the one it has, else a new one from the experiment in `folder`."""
        from mlflow.entities import LoggedModelOutput

        from vmsbench.tracking.mlflow.model import packed

        has = getattr(self._client.get_run(run), "outputs", None)
        if has and has.model_outputs:
            return str(has.model_outputs[0].model_id)
        made = self._client.create_logged_model(self.experiment, "model", source_run_id=run)
        with packed(folder, run, made.model_id) as model:
            self._client.log_model_artifacts(made.model_id, str(model))
        self._client.finalize_logged_model(made.model_id, "READY")
        self._client.log_outputs(run, [LoggedModelOutput(made.model_id, 0)])
        return str(made.model_id)

    def _log_dataset(self, run: str, about: Mapping[str, Any]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        digest, source = str(about["digest"])[:36], json.dumps({"uri": str(about.get("root") or about.get("title"))})
        counts = {split: about[split] for split in ("train", "validation", "test", "size") if split in about}
        data = Dataset(str(about.get("title", "data")), digest, "local", source, profile=json.dumps(counts))
        self._client.log_inputs(run, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])

    def _tags(self, record: Record, parent: str | None) -> dict[str, str]:
        own = {"vmsbench.sweep": self._sweep, "vmsbench.key": record.key, "mlflow.runName": record.name}
        return record.tags | own | ({"mlflow.parentRunId": parent} if parent else {})

    def _find_or_create(self, record: Record, parent: str | None) -> str:
        marks = (("vmsbench.sweep", self._sweep), ("vmsbench.key", record.key))
        query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in marks)
        for run in self._client.search_runs([self.experiment], query, max_results=1):
            return run.info.run_id
        tags = {key: value for key, value in self._tags(record, parent).items() if value}
        made = self._client.create_run(self.experiment, record.started, tags, record.name)
        return made.info.run_id

    def _alive(self, run: str | None) -> bool:
        """Whether the store still has this run: a user may have deleted it, or the whole store."""
        from mlflow import MlflowException

        if run is None:
            return False
        try:
            return self._client.get_run(run).info.lifecycle_stage == "active"
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise


def default_store(runs: Path) -> str:
    """The default store: SQLite in the folder of all sweeps."""
    return f"sqlite:///{runs.resolve()}/mlflow.db"


def where(uri: str | None, runs: Path) -> str:
    """The address of the store: `uri`, else MLFLOW_TRACKING_URI, else sqlite, in mlflow.db next to the sweeps."""
    return uri or os.environ.get("MLFLOW_TRACKING_URI") or default_store(runs)


def digest_of_store(address: str) -> str:
    """What tells a store from others, in the notes of what it has."""
    return hashlib.sha256(without_credentials(address)[0].encode()).hexdigest()[:16]


def client_of(address: str) -> Any:
    """MLflow's client, with its logging off and short timeouts."""
    address, credentials = without_credentials(address)
    os.environ.update(credentials)
    for name, value in QUIET_AND_QUICK.items():
        os.environ.setdefault(name, value)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    from mlflow import MlflowClient  # here, because it takes seconds

    return MlflowClient(tracking_uri=address, registry_uri=address)


def without_credentials(address: str) -> tuple[str, dict[str, str]]:
    """A server's address without its user and password, and these as MLflow's variables: it uses them for its files
    too, but those of an address for the rest alone."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or parts.username is None:
        return address, {}
    names = {"MLFLOW_TRACKING_USERNAME": parts.username, "MLFLOW_TRACKING_PASSWORD": parts.password or ""}
    plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return plain, {name: unquote(value) for name, value in names.items()}


def reach(runs: Path) -> str:
    """Where runs go, if that answers; nothing is created. Raises TrackingError where it does not."""
    address = where(None, runs)
    if address == default_store(runs) and not (runs / "mlflow.db").exists():
        return f"{masked(address)} is created with the first sweep"
    try:
        client_of(address).search_experiments(max_results=1)
    except Exception as error:  # MLflow lets every library below it speak
        raise failure(address, error) from error
    return f"{masked(address)} answers"


def failure(address: str, error: Exception) -> TrackingError:
    """An error of the store as one line without passwords."""
    words = (str(error).strip() or repr(error)).splitlines()[0]
    known = next((meaning for part, meaning in MEANINGS.items() if part in words), masked(words)[:300])
    return TrackingError(f"MLflow at {masked(address)}: {known}")


@contextlib.contextmanager
def alone(runs: Path) -> Iterator[None]:
    """One process at a time per runs folder: two that create the same SQLite database at once break it."""
    with open(runs / ".mlflow.lock", "w") as lock:
        with contextlib.suppress(OSError):  # some shared file systems have no locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def signature(path: Path) -> list[int]:
    seen = path.stat()
    return [seen.st_size, seen.st_mtime_ns]


def clean(name: str) -> str:
    """A name that MLflow takes: letters, digits, and _ - . / : space."""
    return re.sub(r"[^\w\-. /:]", "_", name)[:250]
