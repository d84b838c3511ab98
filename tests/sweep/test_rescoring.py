"""Finals of an older version are scored again from the weights they kept, and nothing is trained."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.sweeps.in_process import study
from tests.support.tiny import MODELS, configuration
from vmsbench.config.settings import with_settings
from vmsbench.errors import UserError
from vmsbench.files import read_json, read_lines, save_json
from vmsbench.store.reader import read_sweep
from vmsbench.sweep.tune import rescore

DIFFUSION = with_settings(configuration(**MODELS["diffusion"]), {"trainer.epochs": 1})


def older(folder: Path) -> Path:
    """The one final of a sweep, as version 0.1 left it: one sample and the median, and no word of a distribution."""
    (final,) = (folder / "final").iterdir()
    results = read_json(final / "results.json")
    for split in ("test_scores", "validation_scores"):
        results[split] = {name: score for name, score in results[split].items() if "dressed" not in name}
    save_json(final / "results.json", {k: v for k, v in results.items() if k not in ("calibration", "dressing")})
    with np.load(final / "predictions.npz") as file:
        kept = {name: file[name] for name in ("names", "predictions", "median") if name in file.files}
    np.savez_compressed(final / "predictions.npz", **kept)
    (final / "scores.csv").write_text("name,l1\n")
    save_json(folder / "baselines.json", {"test": {}, "validation": {}})
    return final


@pytest.fixture(params=["unet", "diffusion"])
def scored(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict]:
    changes = {} if request.param == "unet" else DIFFUSION
    if changes:
        changes = changes | {"space": {"parameters": [{"param": "optimizers.network.lr", "values": [0.01]}]}}
    folder = study(tmp_path, **changes)
    (final,) = (folder / "final").iterdir()
    return folder, read_json(final / "results.json")


def test_what_was_not_measured_is_measured_from_the_same_weights(scored: tuple[Path, dict]) -> None:
    folder, before = scored
    final, told = older(folder), []
    weights = (final / "checkpoint.pt").read_bytes()
    journal = (folder / "journal.jsonl").read_text()
    rescore(folder, folder.parent, {}, told.append)
    now = read_json(final / "results.json")
    assert (final / "checkpoint.pt").read_bytes() == weights
    assert (folder / "journal.jsonl").read_text() == journal
    assert len(told) == 1
    assert "it reads the test pairs" in told[0]
    assert now["test_reads"] == before["test_reads"] + 1 == len(list(read_lines(final / "test_reads.jsonl")))
    assert now["dressing"] == {"pairs": 8, "reason": None}
    assert now["epochs"] == before["epochs"]
    assert now["seconds"] == before["seconds"]
    if before["samples"] == 1:
        assert now["test_scores"] == before["test_scores"]
    else:
        assert now["samples"] == 16
        with np.load(final / "predictions.npz") as file:
            assert file["samples"].shape[1] == 16
    record = read_sweep(folder)
    assert record.baselines["test"]["climatology"]["crps"] > 0
    assert "climatology_crps" in next(iter(record.finals[0].per_image.values()))
    assert record.finals[0].scores["crps_dressed"] == now["test_scores"]["crps_dressed"]


def test_a_sweep_without_finals_has_nothing_to_score_again(tmp_path: Path) -> None:
    folder = study(tmp_path, finals={"top": 0, "seeds": 1})
    with pytest.raises(
        UserError, match=r"mine has no finished final to score; `vmsbench final mine --runs .*` makes some"
    ):
        rescore(folder, folder.parent, {}, print)
