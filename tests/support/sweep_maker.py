"""Small folders exactly as finished sweeps leave them, for tests of what reads them."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import torch

from vmsbench.data.pairs import Dataset, Pairs
from vmsbench.versions import SCHEMA

SIZE, EPOCHS = 24, 12
FAULTS = {"unet": 0.75, "gan": 1.02, "diffusion": 0.9}


def boxes(seed: int, count: int) -> Pairs:
    """Images of three coloured boxes; the biggest is green in the map, now and then another is red."""
    random = np.random.default_rng(seed)
    images = np.full((count, 3, SIZE, SIZE), 40, np.uint8)
    maps = np.zeros((count, 3, SIZE, SIZE), np.uint8)
    for n in range(count):
        for k in range(3):
            (y, x), side = random.integers(0, SIZE - 14, 2), int(random.integers(8, 15))
            images[n, :, y : y + side, x : x + side] = random.integers(60, 256, 3)[:, None, None]
            if k < 2 and (k == 0 or random.random() < 0.4):
                maps[n, 1 - k, y : y + side, x : x + side] = random.integers(90, 220)
    names = tuple(f"sun_{seed}_{n:03d}.jpg" for n in range(count))
    return Pairs(names, torch.from_numpy(images), torch.from_numpy(maps), tuple("ab"[n % 2] for n in range(count)))


def tiny(digest: str = "d1a2b3c4d5e6f708") -> Dataset:
    test = boxes(3, 20)
    oracle = {"oracle_median": (test.maps.float() * 0.9).to(torch.uint8)}
    return Dataset(boxes(1, 40), boxes(2, 8), test, "rg", digest, f"Boxes, {SIZE} px", oracle)


def l1(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.abs(predicted.astype(float) - truth.astype(float)).mean(axis=(1, 2, 3)) * 2 / 255


def score_set(value: float) -> dict:
    correlations = {"cc_true": 1 - 4 * value, "cc_false": 0.5 - value, "cc_combined": 1 - 3 * value}
    errors = {"l1": value, "mse": value / 1.5, "crps": value * 0.95}
    unit = {"l1_unit": value / 2, "mse_unit": value / 6, "crps_unit": value * 0.475}
    unit |= {"crps_dressed": value * 0.8, "crps_dressed_unit": value * 0.4}
    return correlations | errors | unit


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def lines(path: Path, values: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


def history(exp: str, level: float, epochs: int) -> list[dict]:
    found = []
    for epoch in range(1, epochs + 1):
        value = level * (1 + 2.5 * math.exp(-epoch / 2.5))
        term = "network/loss" if exp == "diffusion" else "network/l1"
        train, validation = ({term: value * f, "loss": value * f} for f in (1.2 - epoch / 40, 1.25))
        found.append({"epoch": epoch, "seconds": 2.0 * epoch, "images": 40 * epoch, "train_loss": train,
                      "validation_loss": validation, "scores": score_set(value) if epoch % 2 == 0 else None})  # fmt: skip
    return found


def sgd(rate: float) -> dict:
    return {"_target_": "torch.optim.SGD", "_partial_": True, "lr": rate}


def make_sweep(runs: Path, exp: str, seeds: int = 2, digest: str = "d1a2b3c4d5e6f708", name: str = "") -> Path:
    """A finished sweep with complete, stopped and failed trials, `seeds` finals and baselines."""
    folder, level, name = runs / (name or exp), 0.17 * FAULTS[exp], name or exp
    config = {"exp": exp, "seed": 0, "metric": "l1", "data": {"_target_": f"{__name__}.tiny", "digest": digest},
              "model": {"network": {"width": 32, "norm": "batch"}}, "optimizers": {"network": sgd(0.01)},
              "trainer": {"epochs": EPOCHS}}  # fmt: skip
    config["model"] |= {"sampling_steps": 50} if exp == "diffusion" else {}
    space = [{"param": "model.network.width", "values": [16, 32, 64]},
             {"param": "optimizers.network", "values": [sgd(0.01), sgd(0.02), sgd(0.05)]}]  # fmt: skip
    dataset = tiny(digest)
    write(folder / "sweep.json", {
        "schema": SCHEMA,
        "name": name, "exp": exp, "created": "2025-03-01T12:00:00", "config": config, "space": space,
        "command": f"vmsbench tune --exp {exp} data=folder data.root='my data'", "commit": "0123abc",
        "searcher": {}, "pruner": {},
        "dataset": {"title": dataset.title, "digest": digest, "size": SIZE, "coding": "rg",
                    "train": 40, "validation": 8, "test": 20}})  # fmt: skip
    plan = [({}, None, "complete", 1.1), ({"model.network.width": 16}, "model.network.width", "pruned", 1.5),
            ({"model.network.width": 64}, "model.network.width", "complete", 1.05),
            ({"model.network.width": 64, "optimizers.network": sgd(0.02)}, "optimizers.network", "complete", 1.0),
            ({"model.network.width": 64, "optimizers.network": sgd(0.05)}, "optimizers.network", "failed", 3),
    ]  # fmt: skip
    events, trials = [], []
    causes = {"failed": "Diverged: the loss_D is 100% nan", "pruned": "ASHA: 3rd of 4"}
    for at, (params, parameter, outcome, factor) in enumerate(plan):
        trial = f"{exp[0]}{at:011x}".replace("u", "0").replace("g", "1")
        epochs = {"complete": EPOCHS, "pruned": 4, "failed": 2}[outcome]
        trials.append((trial, level * factor if outcome == "complete" else None, outcome))
        lines(folder / "trials" / trial / "history.jsonl", history(exp, level * factor, epochs))
        write(folder / "trials" / trial / "config.json", {"schema": SCHEMA} | config)
        events.append({"event": "started", "time": 1.0, "trial": trial, "params": params, "parameter": parameter})
        events.append({"event": "finished", "time": 2.0, "trial": trial, "state": outcome, "epoch": epochs,
                       "score": level * factor if outcome != "failed" else None, "seconds": 2.0 * epochs,
                       "cause": causes.get(outcome)})  # fmt: skip

    def tried(values: list, which: list[int]) -> list[dict]:
        return [{"value": value, "score": trials[at][1], "trial": trials[at][0], "state": trials[at][2]}
                for value, at in zip(values, which, strict=True)]  # fmt: skip

    events.append({"event": "settled", "time": 3.0, "parameter": "model.network.width", "value": 64,
                   "score": trials[2][1], "options": tried([32, 16, 64], [0, 1, 2])})  # fmt: skip
    events.append({"event": "settled", "time": 4.0, "parameter": "optimizers.network", "value": sgd(0.02),
                   "score": trials[3][1], "options": tried([sgd(0.01), sgd(0.02), sgd(0.05)], [2, 3, 4])})  # fmt: skip
    events.append({"event": "winner", "time": 5.0, "trial": trials[3][0], "params": plan[3][0], "score": trials[3][1]})
    lines(folder / "journal.jsonl", [events[0] | {"schema": SCHEMA}, *events[1:]])
    for seed in range(1000, 1000 + seeds):
        make_final(folder / "final" / f"f{seed:011d}", config | {"seed": seed}, exp, dataset)
    make_baselines(folder / "baselines.json", dataset)
    return folder


def make_final(folder: Path, config: dict, exp: str, dataset: Dataset) -> None:
    random = np.random.default_rng(config["seed"])
    truth, median = dataset.test.maps.numpy(), np.median(dataset.train.maps.numpy(), axis=0)
    fault = FAULTS[exp] + 0.01 * random.standard_normal()
    noise = 4 * random.random(truth[:, :2].shape)
    predicted = np.clip(fault * median[:2] + (1 - fault) * truth[:, :2] + fault * noise, 0, 255).astype(np.uint8)
    padded = np.pad(predicted, ((0, 0), (0, 1), (0, 0), (0, 0)))
    errors = l1(padded, truth)
    folder.mkdir(parents=True)
    np.savez_compressed(folder / "predictions.npz", names=np.array(dataset.test.names), predictions=predicted)
    with (folder / "scores.csv").open("w", newline="") as file:
        columns = ["l1", "l1_unit", "mse", "crps", "crps_dressed", "pixel_median_l1", "climatology_crps"]
        table = csv.DictWriter(file, ["name", *columns])
        table.writeheader()
        blind = l1(median[None], truth)
        for name, error, least in zip(dataset.test.names, errors, blind, strict=True):
            values = (error, error / 2, error / 1.5, 0.95 * error, 0.8 * error, least, 0.8 * least)
            table.writerow({"name": name, **dict(zip(columns, values, strict=True))})
    write(folder / "config.json", {"schema": SCHEMA} | config)
    write(folder / "results.json", {
        "schema": SCHEMA,
        "exp": exp, "epochs": EPOCHS, "seconds": 24.0, "parameters": 1234567, "images_seen": 480, "device": "cpu",
        "seconds_per_image": 0.0123, "digest_data": "d", "test_scores": score_set(errors.mean()),
        "epoch_kept": 11, "test_reads": 1, "train_scores": score_set(0.8 * errors.mean()),
        "validation_scores": score_set(0.9 * errors.mean()), "torch": "2.9.0",
        "samples": 1, "calibration": {"dressed": calibration(0.5)}, "dressing": {"pairs": 8, "reason": None},
        "fid": {"name": "FID-2048", "value": None, "floor": None, "n": 20, "reason": "no Inception weights"},
    })  # fmt: skip


def calibration(held: float) -> dict:
    """Of a predictor whose central 50 % intervals hold a share `held` of the pixels, as finals have it."""
    around = {"value": held, "low": held - 0.03, "high": held + 0.03}
    word = "too sure" if held < 0.45 else "calibrated"
    return {"coverage": {"50": around, "90": {"value": 0.88, "low": 0.8, "high": 0.92}}, "ranks": [1 / 17] * 17,
            "images": 20, "spread_skill": {"value": 0.9, "low": 0.8, "high": 1.0},
            "verdict": f"{word}: 50 % intervals hold {100 * held:.0f} % of the pixels"}  # fmt: skip


def make_baselines(path: Path, dataset: Dataset) -> None:
    median = np.median(dataset.train.maps.numpy(), axis=0, keepdims=True)
    predictors = {
        "black": 0 * median,
        "pixel_median": median,
        "pixel_mean": dataset.train.maps.float().mean(0).numpy()[None],
    }
    write(path, {
        split: {name: score_set(l1(map_, pairs.maps.numpy()).mean()) for name, map_ in predictors.items()}
        | {"oracle_median": score_set(0.02)} | laws(l1(median, pairs.maps.numpy()).mean())
        for split, pairs in (("validation", dataset.validation), ("test", dataset.test))})  # fmt: skip


def laws(level: float) -> dict[str, dict]:
    """The blind predictors that are distributions: climatology, and a sampler of training maps."""
    law = {"crps": 0.8 * level, "crps_unit": 0.4 * level, "energy": 0.9 * level, "energy_unit": 0.45 * level,
           "spread": 0.1, "coverage_50": 0.5, "coverage_90": 0.9, "spread_skill": 1.0}  # fmt: skip
    sampler = law | {"l1": 1.3 * level, "l1_unit": 0.65 * level, "l1_median": 1.02 * level, "mse": level}
    return {"climatology": law | {"l1": 1.3 * level, "l1_median": level}, "random_train": sampler}
