"""MLflow as a mirror of sweeps: a parent run per sweep, a child per trial and final, rebuilt from the folders.

What was copied is noted in the sweep's mlflow.json. Where that is lost, runs are found again by their tag, and writing
the same metric at the same step and time again changes nothing: so nothing is lost or doubled.
"""

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vmsbench.files import read_json, read_lines, save_json
from vmsbench.tracking.tracker import Tracker

LONGEST_PARAM = 500
METRICS_PER_CALL = 500
ARTIFACTS = ("config.json", "results.json", "history.jsonl", "samples.png", "checkpoint.pt", "scores.csv", "log.txt")
SWEEP_ARTIFACTS = ("sweep.json", "splits.json", "journal.jsonl", "baselines.json")
KEY = "vmsbench.key"

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")


def flat(config: Any, above: str = "") -> Iterator[tuple[str, str]]:
    """Each setting by its dotted path; `model._target_` is `model`, told by its class's name."""
    if isinstance(config, dict):
        for name, value in config.items():
            if name == "_target_":
                yield above.removesuffix("."), str(value).rpartition(".")[2]
            elif name != "_partial_":
                yield from flat(value, f"{above}{name}.")
    else:
        yield above.removesuffix("."), str(config)[:LONGEST_PARAM]


def numbers(record: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The metrics in a line of a history: train/..., validation/... for losses and scores alike, and seconds."""
    for group, prefix in (("train", "train"), ("validation", "validation"), ("scores", "validation")):
        for name, value in (record.get(group) or {}).items():
            if isinstance(value, int | float) and not name.endswith("_n") and name != "n":
                yield f"{prefix}/{name}", float(value)
    yield "seconds", float(record["seconds"])


class MlflowTracker(Tracker):
    """Mirrors to `uri`: by default $MLFLOW_TRACKING_URI, else an SQLite file in the runs folder."""

    def __init__(self, runs: Path, uri: str | None = None, experiment: str = "vmsbench") -> None:
        self.runs = Path(runs).resolve()
        self.own = f"sqlite:///{self.runs / 'mlflow.db'}"
        self.uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or self.own
        self.experiment = experiment
        self.client: Any = None

    def link(self) -> str:
        return f"mlflow ui --backend-store-uri {self.uri}" if self.uri == self.own else self.uri

    def connect(self) -> str:
        """Open the client once; returns the experiment's id."""
        if self.client is None:
            for name in ("alembic", "mlflow"):
                logging.getLogger(name).setLevel(logging.ERROR)
            from mlflow.tracking import MlflowClient

            self.client = MlflowClient(tracking_uri=self.uri)
        found = self.client.get_experiment_by_name(self.experiment)
        if found is not None:
            return found.experiment_id
        place = (self.runs / "mlartifacts").as_uri() if self.uri == self.own else None
        return self.client.create_experiment(self.experiment, artifact_location=place)

    def sync(self, sweep: Path, over: bool = False) -> None:
        described = read_json(sweep / "sweep.json")
        state = self.state(sweep)
        key = f"{described['name']} {described['created']}"
        events = list(read_lines(sweep / "journal.jsonl"))
        started = {event["trial"]: event for event in events if event["event"] == "started"}
        ended = {event["trial"]: event for event in events if event["event"] == "finished"}
        ended |= {event["trial"]: {"outcome": "complete"} for event in events if event["event"] == "final"}
        winner = next((event for event in reversed(events) if event["event"] == "winner"), None)
        experiment = self.connect()
        begun = min((event["time"] for event in events), default=time.time())
        parent = self.run(experiment, state, "", key, f"{described['name']}", begun, {})
        for kind in ("trials", "final"):
            for folder in sorted((sweep / kind).glob("*/config.json"), key=lambda file: file.stat().st_mtime):
                trial = folder.parent
                begin = started.get(trial.name, {})
                tags = {
                    "mlflow.parentRunId": parent,
                    "family": described["exp"],
                    "kind": "final" if kind == "final" else "trial",
                    "coordinate": begin.get("coordinate") or "",
                }
                self.mirror_trial(experiment, state, trial, key, tags, begin.get("time"), ended.get(trial.name), over)
                save_json(sweep / "mlflow.json", state)
        self.mirror_sweep(sweep, described, state, winner, over)
        save_json(sweep / "mlflow.json", state)

    def state(self, sweep: Path) -> dict[str, Any]:
        """What was copied to this store before; nothing where it was another store or the note is lost."""
        fresh = {"uri": self.uri, "runs": {}}
        try:
            state = read_json(sweep / "mlflow.json")
        except (OSError, ValueError):
            return fresh
        if state.get("uri") != self.uri:
            return fresh
        self.connect()
        known = next(iter(state["runs"].values()), None)
        return state if known is None or self.exists(known["run"]) else fresh

    def exists(self, run: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            self.client.get_run(run)
        except MlflowException:
            return False
        return True

    def run(
        self,
        experiment: str,
        state: dict[str, Any],
        trial: str,
        key: str,
        name: str,
        begun: float,
        tags: dict[str, str],
    ) -> str:
        """The run of a trial (or, for "", of the sweep): known, found by its tag, or made."""
        if trial not in state["runs"]:
            mark = f"{key} {trial}".strip()
            found = self.client.search_runs([experiment], f"tags.`{KEY}` = '{mark}'", max_results=1)
            made = (
                found[0]
                if found
                else self.client.create_run(
                    experiment, start_time=int(begun * 1000), tags={KEY: mark, **tags}, run_name=name
                )
            )
            state["runs"][trial] = {"run": made.info.run_id, "epochs": 0, "status": "RUNNING"}
        return state["runs"][trial]["run"]

    def mirror_trial(
        self,
        experiment: str,
        state: dict[str, Any],
        trial: Path,
        key: str,
        tags: dict[str, str],
        begun: float | None,
        ended: dict[str, Any] | None,
        over: bool,
    ) -> None:
        from mlflow.entities import Metric, Param

        history = list(read_lines(trial / "history.jsonl"))
        config = read_json(trial / "config.json")
        first = begun or (history[0]["time"] if history else (trial / "config.json").stat().st_mtime)
        name = f"seed {config['seed']}" if tags["kind"] == "final" else trial.name
        known = trial.name in state["runs"]
        run = self.run(experiment, state, trial.name, key, name, first, tags)
        note = state["runs"][trial.name]
        if not known:
            params = [Param(path, value) for path, value in flat(config)]
            self.client.log_batch(run, params=params)
        fresh = [record for record in history if record["epoch"] > note["epochs"]]
        metrics = [
            Metric(path, value, int(record["time"] * 1000), record["epoch"])
            for record in fresh
            for path, value in numbers(record)
        ]
        for start in range(0, len(metrics), METRICS_PER_CALL):
            self.client.log_batch(run, metrics=metrics[start : start + METRICS_PER_CALL])
        note["epochs"] = max((record["epoch"] for record in history), default=note["epochs"])
        status = ended["outcome"] if ended else "interrupted" if over else "running"
        if status != note["status"]:
            self.end_trial(run, trial, status, ended, history)
            note["status"] = status

    def end_trial(
        self, run: str, trial: Path, status: str, ended: dict[str, Any] | None, history: list[dict[str, Any]]
    ) -> None:
        from mlflow.entities import Metric

        self.client.set_tag(run, "status", status)
        if status == "running":
            self.client.update_run(run, status="RUNNING")
            return
        if ended and ended.get("cause"):
            self.client.set_tag(run, "cause", ended["cause"])
        last = int(history[-1]["time"] * 1000) if history else int(time.time() * 1000)
        if (trial / "results.json").exists():
            results = read_json(trial / "results.json")
            finals = [
                Metric(f"{split}_final/{name}", float(value), last, results["epochs"])
                for split in ("validation", "test")
                for name, value in (results.get(split) or {}).items()
                if isinstance(value, int | float) and not name.endswith("_n")
            ]
            self.client.log_batch(run, metrics=finals)
        for name in ARTIFACTS:
            if (trial / name).exists():
                self.client.log_artifact(run, str(trial / name))
        statuses = {"complete": "FINISHED", "stopped": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
        self.client.set_terminated(run, statuses[status], end_time=last)

    def mirror_sweep(
        self, sweep: Path, described: dict[str, Any], state: dict[str, Any], winner: dict[str, Any] | None, over: bool
    ) -> None:
        """The parent's run: what was searched, the blind baselines, the winner."""
        from mlflow.entities import Metric, Param, RunTag

        note = state["runs"][""]
        run = note["run"]
        if not note["epochs"]:
            data = described["dataset"]
            facts = {"exp": described["exp"], "data": data["title"], "data.digest": data["digest"]}
            facts |= {f"data.{split}": str(data[split]) for split in ("train", "validation", "test")}
            facts |= {"searcher": described["searcher"]["_target_"].rpartition(".")[2]}
            facts |= {"scheduler": described["scheduler"]["_target_"].rpartition(".")[2]}
            tags = {"family": described["exp"], "kind": "sweep", "commit": str(described["commit"])}
            self.client.log_batch(
                run,
                params=[Param(name, value) for name, value in facts.items()],
                tags=[RunTag(name, value) for name, value in tags.items()],
            )
            note["epochs"] = 1
        finals = {"running", "interrupted", "RUNNING"}
        unfinished = any(one["status"] in finals for trial, one in state["runs"].items() if trial)
        done = winner is not None and (sweep / "baselines.json").exists() and not unfinished
        status = "complete" if done else "interrupted" if over else "running"
        if status == note["status"]:
            return
        note["status"] = status
        self.client.set_tag(run, "status", status)
        if status == "running":
            self.client.update_run(run, status="RUNNING")
            return
        if winner is not None and done:
            blind = read_json(sweep / "baselines.json")
            stamp = int(winner["time"] * 1000)
            metrics = [
                Metric(f"{split}/{predictor}/{name}", float(value), stamp, 0)
                for split, predictors in blind.items()
                for predictor, scores in predictors.items()
                for name, value in scores.items()
                if name in ("l1", "l1_unit", "crps", "mse") and value is not None
            ]
            self.client.log_batch(run, metrics=[Metric("best", winner["score"], stamp, 0), *metrics])
            for path, value in flat(winner["choice"]):
                self.client.set_tag(run, f"winner.{path}", value)
        for name in SWEEP_ARTIFACTS:
            if (sweep / name).exists():
                self.client.log_artifact(run, str(sweep / name))
        self.client.set_terminated(run, "FINISHED" if done else "KILLED")
