"""Sweeps to be sent to a tracker, and what it has of them."""

import json
from pathlib import Path
from typing import Any

from vmsbench.versions import SCHEMA

START = 1_700_000_000.0  # seconds since 1970
TRIALS = ("aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc")
WIDTH = "model.network.width"


def append(path: Path, **line: Any) -> None:
    schema = {} if path.exists() else {"schema": SCHEMA}
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(line | schema) + "\n")


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def train(folder: Path, epochs: range, begun: float) -> None:
    """Append epochs as the trainer does."""
    for epoch in epochs:
        scores = {"scores": {"l1": 0.4 / epoch, "cc_true": None}} if epoch % 2 == 0 else {}
        append(
            folder / "history.jsonl",
            epoch=epoch,
            seconds=2.0 * epoch,
            time=begun + 2 * epoch,
            images=100 * epoch,
            train_loss={"network/l1": 0.5 / epoch, "loss": 0.5 / epoch},
            validation_loss={"loss": 0.6 / epoch},
            **scores,
        )


def begin(sweep: Path, trial: str, width: int, at: float, folder: str = "trials", seed: int = 0) -> Path:
    path = sweep / folder / trial
    network = {"_target_": "vmsbench.networks.unet.UNet", "_partial_": True, "width": width}
    model = {"_target_": "vmsbench.models.regression.Regression", "network": network, "long": "x" * 7000}
    write(path / "config.json", {"schema": SCHEMA, "exp": "unet", "seed": seed, "model": model, "data": {"root": None}})
    (path / "samples.png").write_bytes(b"png")
    if folder == "final":
        append(sweep / "journal.jsonl", event="final_started", time=at, trial=trial)
    else:
        append(sweep / "journal.jsonl", event="started", time=at, trial=trial, params={WIDTH: width}, parameter=WIDTH)
    return path


def end(sweep: Path, trial: str, outcome: str, at: float, folder: str = "trials", cause: str | None = None) -> None:
    path = sweep / folder / trial
    if outcome == "complete":
        (path / "checkpoint.pt").write_bytes(b"weights")
        fid = {"name": "FID-2048", "value": None, "floor": None, "n": 0, "reason": "no weights"}
        write(path / "results.json", {"schema": SCHEMA, "epochs": 4, "seconds": 8.0, "parameters": 1234, "fid": fid})
    append(
        sweep / "journal.jsonl",
        event="finished",
        time=at,
        trial=trial,
        state=outcome,
        score=0.1,
        epoch=4,
        seconds=8.0,
        cause=cause,
    )


def begin_sweep(runs: Path, name: str = "unet") -> Path:
    sweep = runs / name
    dataset = {"title": "VISCHEMA PLUS, 64 px", "digest": "d1", "size": 64, "coding": "rg", "train": 9, "test": 3}
    about = {
        "schema": SCHEMA,
        "dataset": dataset,
        "name": name,
        "exp": "unet",
        "created": "2023-11-14T22:13:20+00:00",
        "command": "vmsbench tune --exp unet",
    }
    searcher = {"_target_": "vmsbench.search.coordinate.Parameter", "rounds": 1}
    write(sweep / "sweep.json", about | {"searcher": searcher, "commit": "c0ffee"})
    write(sweep / "splits.json", {"train": ["a"], "seed": 0})
    write(sweep / "baselines.json", {"validation": {"black": {"l1": 0.3}, "pixel_median": {"l1": 0.2}}})
    return sweep


def half_a_sweep(runs: Path) -> Path:
    """One trial complete, one stopped, one running at its second epoch."""
    sweep = begin_sweep(runs)
    for order, (trial, outcome) in enumerate(zip(TRIALS, ("complete", "pruned", None), strict=True)):
        begun = START + 10 * order
        folder = begin(sweep, trial, width=8 << order, at=begun)
        train(folder, range(1, 5 if outcome == "complete" else 3), begun)
        if outcome:
            end(sweep, trial, outcome, begun + 9, cause="ASHA: rung 2" if outcome == "pruned" else None)
    return sweep


def finish(sweep: Path) -> None:
    """The running trial goes on to fail; the winner is settled, trained again and tested."""
    train(sweep / "trials" / TRIALS[2], range(3, 5), START + 20)
    end(sweep, TRIALS[2], "failed", START + 40, cause="RuntimeError: CUDA out of memory")
    journal = sweep / "journal.jsonl"
    append(journal, event="settled", time=START + 41, parameter=WIDTH, value=8, score=0.1, options=[])
    append(journal, event="winner", time=START + 42, trial=TRIALS[0], params={WIDTH: 8}, score=0.1)
    folder = begin(sweep, "ffffffffffff", width=8, at=START + 43, folder="final", seed=7)
    train(folder, range(1, 5), START + 43)
    end(sweep, "ffffffffffff", "complete", START + 60, folder="final")
    append(journal, event="final", time=START + 61, trial="ffffffffffff", seed=7, scores={"l1": 0.12})


def whole_sweep(runs: Path) -> Path:
    sweep = half_a_sweep(runs)
    finish(sweep)
    return sweep


def content(address: str, experiment: str = "vmsbench") -> dict[str, Any]:
    """Everything that the store shows, by vmsbench.key, without ids."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=address)
    known = client.get_experiment_by_name(experiment)
    runs = client.search_runs([known.experiment_id]) if known else []
    shown = {}
    for run in runs:
        key, run_id = run.data.tags["vmsbench.key"], run.info.run_id
        assert key not in shown, f"two runs for {key}"
        history = {
            name: sorted((m.step, m.timestamp, m.value) for m in client.get_metric_history(run_id, name))
            for name in run.data.metrics
        }
        nested = run.data.tags.get("mlflow.parentRunId")
        shown[key] = {
            "name": run.info.run_name,
            "status": run.info.status,
            "times": (run.info.start_time, run.info.end_time),
            "params": run.data.params,
            "tags": {k: v for k, v in run.data.tags.items() if k != "mlflow.parentRunId" and v},
            "parent": next((r.data.tags["vmsbench.key"] for r in runs if r.info.run_id == nested), None),
            "metrics": history,
            "files": sorted(f.path for f in client.list_artifacts(run_id)),
        }
    return shown
