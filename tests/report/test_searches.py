"""What the report says of searches: how sure a walk is, what mattered, what was saved, ablations, samples and steps."""

import csv
import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tests.support.sweep_maker import EPOCHS, FAULTS, make_sweep, write
from tests.support.tiny import dataset
from vmsbench.data.pairs import signed
from vmsbench.errors import UserError
from vmsbench.files import read_json, save_json
from vmsbench.inference.predictor import TrainedModel
from vmsbench.inference.sampling_sweep import tradeoff
from vmsbench.models.diffusion import Diffusion
from vmsbench.models.noise_schedules import CosineSchedule
from vmsbench.models.regression import Regression
from vmsbench.networks.residual import ResidualUNet
from vmsbench.report.analysis.importance import bars, importances
from vmsbench.report.analysis.ranking import rank
from vmsbench.report.analysis.seed_noise import gap, how_sure, pooled, seed_noise
from vmsbench.report.document import compose
from vmsbench.report.render.markdown import to_report
from vmsbench.report.render.tables import to_csv
from vmsbench.report.sections.curves import curves
from vmsbench.report.sections.samples import FULL, TOO_LITTLE, TOO_MUCH, error_map, gather, load_truth
from vmsbench.report.sections.scores.answers import answer_table
from vmsbench.report.sections.usage import epochs_of
from vmsbench.report.write import report
from vmsbench.store.reader import collect
from vmsbench.store.records import SweepRecord


def swept(runs: Path, exp: str = "unet") -> SweepRecord:
    make_sweep(runs, exp)
    (sweep,) = collect(runs, []).sweeps
    return sweep


def test_seed_noise_is_pooled_within_configurations_by_hand() -> None:
    noise = pooled([[1.0, 3.0], [5.0, 5.0]])
    assert noise is not None
    assert (noise.deviation, noise.freedom) == (1.0, 2)
    assert noise.apart() == pytest.approx(4.30 * math.sqrt(2))
    assert noise.apart(4) == pytest.approx(noise.apart() / 2)
    assert pooled([]) is None


def test_two_scores_of_one_law_are_rarely_apart_by_what_is_called_clear() -> None:
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(2000):
        noise = pooled(random.standard_normal((2, 3)).tolist())
        assert noise is not None
        one, other = random.standard_normal(2)
        wrong += abs(one - other) > noise.apart()
    assert 0.03 < wrong / 2000 < 0.07


def test_how_sure_a_walk_is_depends_on_its_seeds(tmp_path: Path) -> None:
    sweep = swept(tmp_path)
    width = sweep.parameters[0]
    level = 0.17 * FAULTS["unet"]
    assert gap(sweep, width) == pytest.approx(0.05 * level)
    assert how_sure(sweep, width, None) == ""
    quiet, loud = pooled([[0.1, 0.1001]] * 11), pooled([[0.1, 0.2]])
    assert how_sure(sweep, width, quiet) == "clear"
    assert how_sure(sweep, width, loud) == "", "two seeds are too few to say"
    assert how_sure(sweep, width, pooled([[0.1, 0.2, 0.3]])) == "within seed noise"


def test_the_noise_of_seeds_is_taken_from_finals_of_one_configuration(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path, "unet")
    events = [{"event": "final", "trial": file.name, "of": "t", "rank": 1, "seed": 1000, "scores": {}}
              for file in sorted((folder / "final").iterdir())]  # fmt: skip
    (sweep,) = collect(tmp_path, []).sweeps
    assert seed_noise(sweep) is None, "the journal does not say which configuration they are of"
    with (folder / "journal.jsonl").open("a") as file:
        file.writelines(f"{json.dumps(event)}\n" for event in events)
    (sweep,) = collect(tmp_path, []).sweeps
    noise = seed_noise(sweep)
    values = [final.tuning["l1"] for final in sweep.finals]
    assert noise is not None
    assert noise.deviation == pytest.approx(np.std(values, ddof=1))


@pytest.mark.parametrize(("seeds", "drawn"), [(2, False), (3, True)])
def test_a_band_of_seeds_is_drawn_from_three_seeds_on_and_the_caption_says_of_how_many(tmp_path, seeds, drawn):
    """Student's t of two seeds is 12.7: a band of 0.14 for a model whose scores are 0.07."""
    folder = make_sweep(tmp_path, "unet", seeds=seeds)
    with (folder / "journal.jsonl").open("a") as file:
        for at, final in enumerate(sorted((folder / "final").iterdir())):
            event = {"event": "final", "trial": final.name, "of": "t", "rank": 1, "seed": 1000 + at, "scores": {}}
            file.write(f"{json.dumps(event)}\n")
    study = collect(tmp_path, [])
    noise, found = seed_noise(study.sweeps[0]), importances(study.sweeps[0])
    assert noise is not None
    assert (noise.known, noise.seeds) == (drawn, seeds)
    (axes,) = bars(study.sweeps[0], found, "", "black", noise).axes
    assert any("seeds alone" in text.get_text() for text in axes.texts) is drawn
    text = to_report(compose(study))
    assert ("two seeds are too few to say how far seeds alone differ" in text) is not drawn
    assert ("seeds alone: from 3 seeds" in text) is drawn


def test_importance_is_the_distance_of_the_options_trained_to_their_end(tmp_path: Path) -> None:
    level = 0.17 * FAULTS["unet"]
    found = {one.param: one for one in importances(swept(tmp_path))}
    assert found["model.network.width"].spread == pytest.approx(0.05 * level)
    assert found["model.network.width"].options == 2, "the stopped option is left out"
    assert found["optimizers.network"].spread == pytest.approx(0.05 * level)


def test_what_stopping_saved_is_what_the_stopped_trials_would_have_trained(tmp_path: Path) -> None:
    assert epochs_of(swept(tmp_path)) == {"complete": 3 * EPOCHS, "pruned": 4, "failed": 2, "saved": EPOCHS - 4}


@pytest.mark.slow
def test_the_ledger_is_drawn_where_somebody_counts_and_every_row_can_be_made_again(tmp_path: Path) -> None:
    make_sweep(tmp_path / "runs", "unet")
    out = report(
        tmp_path / "runs", [], tmp_path / "out", lambda folder: {"useful": 3.0, "lost": 0.5, "idle": 1.0}
    ).parent
    with (out / "tables" / "hours.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["useful"], row["lost"], row["all"]) == ("3.0", "0.5", "4.5")
    assert (out / "plots" / "hours.png").exists()
    with (out / "tables" / "reproduce.csv").open(newline="") as file:
        rows = {row["row"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"UNet", "Baselines"}
    place = f"--runs {tmp_path / 'runs'}"
    assert rows["UNet"]["command"] == f"`vmsbench tune --exp unet data=folder data.root='my data' {place}`"
    assert rows["Baselines"]["command"] == f"`vmsbench evaluate baselines {place} data=folder 'data.root=my data'`"
    assert rows["UNet"]["commit"] == "0123abc"
    assert rows["UNet"]["data"] == "d1a2b3c4d5e6"
    assert "finals 1000 and 1001" in rows["UNet"]["seeds"]


def test_an_ablation_has_a_section_of_its_own_and_is_no_second_family(tmp_path: Path) -> None:
    make_sweep(tmp_path, "unet")
    folder = make_sweep(tmp_path, "unet", seeds=0, name="unet-ablate-augment")
    about = read_json(folder / "sweep.json")
    options = [{"name": name, "set": {"augment.steps": at}} for at, name in enumerate(("none", "flip"))]
    save_json(folder / "sweep.json", about | {"space": [{"param": "augment", "values": options}]})
    study = collect(tmp_path, [])
    (group,) = study.groups
    assert [sweep.name for sweep in group.sweeps] == ["unet"]
    assert [sweep.name for sweep in group.ablated] == ["unet-ablate-augment"]
    text = to_report(compose(study))
    assert "UNet (unet" not in text
    assert "No ablation of augment" not in text
    command = f"vmsbench ablate target --exp unet --runs {tmp_path} data=folder 'data.root=my data'"
    assert f"`{command}`" in text


def test_commands_that_make_more_on_the_same_data_have_the_preset_which_may_set_their_size(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path, "unet")
    about = json.loads((folder / "sweep.json").read_text())
    about["command"] = "vmsbench tune --exp unet data=standin preset=demo network.width=8"
    write(folder / "sweep.json", about)
    text = to_report(compose(collect(tmp_path, [])))
    for command in ("evaluate baselines", "ablate augment --exp unet", "tune --exp gan"):
        assert f"`vmsbench {command} --runs {tmp_path} data=standin preset=demo`" in text


def test_the_score_table_knows_what_each_model_cost(tmp_path: Path) -> None:
    make_sweep(tmp_path, "unet")
    (group,) = collect(tmp_path, []).groups
    table = to_csv(answer_table(group, rank(group).answer))
    rows = {row["predictor"]: row for row in csv.DictReader(table.splitlines())}
    assert float(rows["UNet"]["parameters"]) == 1234567
    assert float(rows["UNet"]["training_seconds"]) == 24
    assert rows["Pixel median"]["parameters"] == ""


def test_error_maps_tell_too_much_from_too_little_by_hand() -> None:
    truth = np.zeros((3, 1, 3), np.uint8)
    truth[1, 0] = [0, 255, 100]
    guess = truth[:2].copy()
    guess[1, 0] = [int(255 * FULL), 0, 100]
    drawn = error_map(guess, truth)[0].astype(int)
    assert np.abs(drawn[0] - TOO_MUCH).max() <= 2
    assert tuple(drawn[1]) == TOO_LITTLE
    assert tuple(drawn[2]) == (0, 0, 0)


def test_of_a_model_that_samples_the_median_is_shown_beside_one_map(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path, "diffusion", seeds=1)
    (final,) = (folder / "final").iterdir()
    with np.load(final / "predictions.npz") as file:
        kept = dict(file)
    np.savez_compressed(final / "predictions.npz", **kept, median=kept["predictions"] // 2)
    write(final / "results.json", read_json(final / "results.json") | {"samples": 8})
    (group,) = collect(tmp_path, []).groups
    samples = gather(group, load_truth(group), "Diffusion")
    assert {"One sample", "Median of 8"} <= set(samples.columns)
    row = samples.rows[0]
    assert np.array_equal(row.tiles["Median of 8"].pixels, row.tiles["One sample"].pixels // 2)


BLIND = {"pixel_median": {"l1": 0.2}, "climatology": {"crps": 0.12}}


def diffusion() -> TrainedModel:
    data = dataset()
    torch.manual_seed(0)
    network = partial(ResidualUNet, width=8, multipliers=(1, 2), attention=())
    model = Diffusion(network, data.channels, data.size, CosineSchedule(), num_timesteps=20, sampling_steps=5)
    model.prepare(signed(data.train.images), signed(data.train.maps[:, : data.channels]))
    return TrainedModel(model.eval(), data.channels, data.size, 2, 4, torch.device("cpu"))


def test_steps_and_samples_are_scored_by_the_one_metric_function_and_leave_the_model_as_it_was() -> None:
    predictor, pairs = diffusion(), dataset().validation
    before = predictor.model.sampling_steps
    rows = list(tradeoff(predictor, pairs, [2, 4], [1, 3]))
    assert [(row["steps"], row["samples"]) for row in rows] == [(2, 1), (2, 3), (4, 1), (4, 3)]
    one, three = rows[0], rows[1]
    assert one["crps"] == pytest.approx(one["l1"])
    assert one["l1_median"] == one["l1"]
    assert three["crps"] < three["l1"], "the fair estimator takes off how far the samples are apart"
    assert three["seconds_per_image"] == pytest.approx(3 * one["seconds_per_image"])
    assert predictor.model.sampling_steps == before
    with pytest.raises(UserError, match="as many steps"):
        list(tradeoff(predictor, pairs, [10**6], [1]))


def test_any_model_that_samples_in_steps_is_measured_and_one_that_does_not_is_refused() -> None:
    data = dataset()
    model = Regression(partial(ResidualUNet, width=8, multipliers=(1, 2), attention=()), data.channels, data.size)
    predictor = TrainedModel(model.eval(), data.channels, data.size, 2, 4, torch.device("cpu"))
    with pytest.raises(UserError, match="predicts in one step"):
        list(tradeoff(predictor, data.validation, [2], [1]))
    model.sampling_steps = 4
    assert [row["steps"] for row in tradeoff(predictor, data.validation, [1, 2], [1])] == [1, 2]
    assert model.sampling_steps == 4


def test_samples_and_steps_are_in_the_report_and_missing_ones_name_their_command(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path, "diffusion")
    assert f"`vmsbench tradeoff diffusion --runs {tmp_path}`" in to_report(compose(collect(tmp_path, [])))
    rows = [{"steps": steps, "samples": count, "l1": 0.2, "l1_mean": 0.18, "l1_median": 0.17 / count, "crps": 0.1,
             "seconds_per_image": steps * count / 100} for steps in (10, 50) for count in (1, 4)]  # fmt: skip
    write(folder / "tradeoff.json", {"images": 8, "device": "cpu", "blind": BLIND, "rows": rows})
    text = to_report(compose(collect(tmp_path, [])))
    assert "`vmsbench tradeoff diffusion" not in text
    assert "| Climatology | – | – | – | – | – | 0.1200 | 0.0600 | – |" in text
    assert "| 50 | 4 | 0.2000 | 0.0425 | 0.0213 | 0.1800 | 0.1000 | 0.0500 | 2 s |" in text


def test_the_legend_of_curves_lies_within_its_figure_with_the_longest_names_of_blind_predictors(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path, "diffusion")
    about = json.loads((folder / "sweep.json").read_text())
    about["config"]["evaluation"] = {"images": None, "samples": 2, "final_samples": 16}
    write(folder / "sweep.json", about)
    (group,) = collect(tmp_path, []).groups
    blind = {"category_median": {"l1": 0.2}, "category_climatology": {"crps": 0.15}}
    figure = curves(group, group.sweeps, {"diffusion": blind})
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (legend,) = figure.legends
    assert "category climatology (blind)" in legend.get_texts()[-1].get_text()
    box, page = legend.get_window_extent(), figure.bbox
    assert page.x0 <= box.x0 < box.x1 <= page.x1
    assert page.y0 <= box.y0 < box.y1 <= page.y1
