"""Searches played on known learning curves, and what is measured of journal and Ray."""

import inspect
import json
import random
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import vmsbench
from tests.support.command_line import called, refused
from tests.support.sweeps.in_process import CONFIG
from vmsbench.bench.journal_replay import measure
from vmsbench.bench.pruners import SEED, compare
from vmsbench.bench.recorded_curves import Recorded, recorded, worse_by
from vmsbench.bench.searchers import race, table
from vmsbench.bench.searching.racing import common_shares
from vmsbench.bench.searching.racing import compare as ways
from vmsbench.bench.searching.simulations import SIMULATIONS, again
from vmsbench.cli.app import app
from vmsbench.errors import UserError
from vmsbench.files import append_line
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.grid import GridSearch
from vmsbench.search.pruners import AshaPruner, GuardedAshaPruner, IncumbentPruner, NoPruner
from vmsbench.search.searcher import Params, key
from vmsbench.search.simulation import play, synthetic
from vmsbench.search.space import Parameter, Space
from vmsbench.store.journal import Journal
from vmsbench.versions import SCHEMA

COORDINATES: list[dict[str, Any]] = [
    {"param": "model.network.width", "values": [4, 8, 16]},
    {"param": "trainer.clip", "values": [0.0, 1.0]},
]
SPACE = Space([Parameter.read(entry) for entry in COORDINATES], CONFIG)
ENDS = {4: 0.3, 8: 0.1, 16: 0.2}


def falling(params: Params, epochs: int = 8) -> list[float]:
    """Curves that are ordered alike at every epoch."""
    end = ENDS[params["model.network.width"]] + 0.01 * params["trainer.clip"]
    return [end + 1 / epoch for epoch in range(1, epochs + 1)]


def test_a_search_that_is_played_counts_every_epoch_and_finds_the_best_of_the_table() -> None:
    played = play(GridSearch(SPACE), falling, NoPruner(), slots=2)
    assert played.epochs[-1] == 6 * 8
    assert played.best[-1] == min(falling(SPACE.point(rank))[-1] for rank in range(6))
    assert played.pruned == 0
    walked = play(CoordinateSearch(SPACE), falling, NoPruner(), slots=2)
    assert len(walked.best) == 4
    assert walked.best[-1] == played.best[-1]


@pytest.mark.parametrize(
    "rule", [GuardedAshaPruner(), AshaPruner(), IncumbentPruner()], ids=lambda rule: type(rule).__name__
)
def test_where_curves_never_cross_a_rule_saves_epochs_and_changes_no_winner(rule: Any) -> None:
    curves = {key(SPACE.point(rank)): [falling(SPACE.point(rank))] * 2 for rank in range(6)}
    known = Recorded("stand-in", "l1", COORDINATES, CONFIG, curves)
    rows = {row.rule: row for row in compare(known, {"rule": rule}, worlds=20, slots=1)}
    assert rows["rule"].changed == rows["rule"].worse == rows[SEED].changed == 0
    assert rows["rule"].saved > 0
    assert rows["rule"].pruned > 0


def test_another_seed_changes_winners_that_differ_by_less_than_seeds_do() -> None:
    chance = random.Random(1)
    curves = {key(SPACE.point(r)): [[1.0, chance.gauss(0.5, 0.1)] for _ in range(5)] for r in range(6)}
    (seed,) = compare(Recorded("stand-in", "l1", COORDINATES, CONFIG, curves), {}, worlds=40, slots=2)
    assert seed.changed > 0.2
    assert seed.saved == pytest.approx(0, abs=0.3)


def test_curves_are_the_same_after_they_were_kept(tmp_path: Path) -> None:
    curves = {key(SPACE.point(rank)): [falling(SPACE.point(rank))] for rank in range(6)}
    known = Recorded("stand-in", "l1", COORDINATES, CONFIG, curves)
    known.save(tmp_path / "curves.json")
    again = Recorded.load(tmp_path / "curves.json")
    assert again.curves.keys() == curves.keys()
    assert again.curves[key(SPACE.point(3))][0] == pytest.approx(curves[key(SPACE.point(3))][0], abs=1e-5)


def test_a_sweep_that_lacks_curves_is_refused_with_the_settings_that_record_them(tmp_path: Path) -> None:
    about = {
        "schema": SCHEMA,
        "config": CONFIG,
        "space": COORDINATES,
        "dataset": {"title": "stand-in"},
        "command": "vmsbench tune",
    }
    (tmp_path / "sweep.json").write_text(json.dumps(about))
    (tmp_path / "journal.jsonl").touch()
    with pytest.raises(UserError, match=r"0 of 6 configurations; searcher=grid searcher.repeats=4"):
        recorded(tmp_path)


def test_curves_of_a_sweep_are_paired_by_seed_in_whatever_order_it_trained_them(tmp_path: Path) -> None:
    config = CONFIG | {"seed": 7, "metric": "l1", "trainer": CONFIG["trainer"] | {"epochs": 2}}
    about = {"schema": SCHEMA, "config": config, "space": COORDINATES, "dataset": {"title": ""}, "command": ""}
    (tmp_path / "sweep.json").write_text(json.dumps(about))
    journal, chance = Journal(tmp_path), random.Random(4)
    for rank in range(6):
        seeds = [None, 8, 9] + [10] * (rank != 3)  # one configuration lacks a seed; one seed is there twice
        for turn, seed in enumerate(chance.sample([*seeds, 9], len(seeds) + 1)):
            trial = f"trial_{rank}_{turn}"
            journal.write("started", trial=trial, params=SPACE.point(rank) | ({"seed": seed} if seed else {}))
            (tmp_path / "trials" / trial).mkdir(parents=True)
            for epoch in (1, 2):
                line = {"epoch": epoch, "seconds": 1.0, "scores": {"l1": (seed or 7) + epoch / 10 + rank / 100}}
                append_line(tmp_path / "trials" / trial / "history.jsonl", line)
    curves = recorded(tmp_path).curves
    for rank in range(6):
        assert [scores[-1] for scores in curves[key(SPACE.point(rank))]] == pytest.approx(
            [seed + 0.2 + rank / 100 for seed in (7, 8, 9)]
        )


def test_searchers_race_over_the_same_worlds_and_the_grid_gets_there_in_the_end() -> None:
    worlds = [synthetic(SPACE, seed) for seed in range(3)]
    searchers: dict[str, Any] = {"grid": lambda n: GridSearch(SPACE), "parameter": lambda n: CoordinateSearch(SPACE)}
    lines = {line.searcher: line for line in race(searchers, {"none": NoPruner()}, worlds, 20, 2)}
    for line in lines.values():
        assert line.best == sorted(line.best, reverse=True)
        assert line.epochs == sorted(line.epochs)
    assert lines["grid"].best[-1] <= lines["parameter"].best[-1]
    assert len(lines["parameter"].best) == 4
    assert len(table([*lines.values()], lines["grid"].best[-1])) == 3


def test_a_long_journal_is_rebuilt_to_its_last_trial(tmp_path: Path) -> None:
    times = measure(tmp_path, 300)
    assert times.trials == 300
    assert min(times.rebuild, times.curves, times.status) > 0


def test_bench_search_writes_table_and_figure(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["bench", "search", "--exp", "unet", "--space", "default", "--trials", "6", "--worlds", "1",
              "--out", str(tmp_path), "--json"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    searches = json.loads(done.output)["searches"]
    assert {"coordinate", "grid", "random"} <= {line["searcher"] for line in searches}
    assert (tmp_path / "search-unet.png").read_bytes().startswith(b"\x89PNG")
    assert "coordinate, asha" in (tmp_path / "search-unet.txt").read_text()


@pytest.mark.slow
@pytest.mark.nightly
def test_bench_overhead_tells_what_a_trial_costs() -> None:
    command = [sys.executable, "-m", "vmsbench", "bench", "overhead", "--trials", "6", "--slots", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [row["met"] is None for row in json.loads(done.stdout)] == [True, True, False]


def in_seeds(params: Params, count: int = 2) -> list[list[float]]:
    chance = random.Random(key(params))
    return [[score + chance.gauss(0, 0.01) for score in falling(params)] for _ in range(count)]


def kept(path: Path, parameters: list[dict[str, Any]], seeds: list[int], sign: int = 1) -> Path:
    """curves.json of a space, each configuration from its own number of seeds."""
    space = Space([Parameter.read(entry) for entry in parameters], CONFIG)
    points = [space.point(rank) for rank in space.ranks()]
    curves = {
        key(point): [[sign * score for score in curve] for curve in in_seeds(SPACE.start | point, count)]
        for point, count in zip(points, seeds, strict=True)
        if count
    }
    Recorded("stand-in", "l1" if sign > 0 else "cc_combined", parameters, CONFIG, curves).save(path)
    return path


@pytest.mark.parametrize(
    ("values", "seeds", "said"),
    [
        ([4], [2], ["has one configuration", "a race needs two"]),
        ([4, 8], [1, 2], ["curves of 2 seeds of 1 of 2 configurations", "searcher.repeats=4"]),
        ([4, 8], [1, 1], ["curves of 2 seeds of 0 of 2 configurations"]),
        ([4, 8, 16], [2, 0, 2], ["curves of 2 of 3 configurations"]),
    ],
)
def test_curves_that_cannot_race_are_refused_in_one_line(
    tmp_path: Path, values: list[int], seeds: list[int], said: list[str]
) -> None:
    file = kept(tmp_path / "curves.json", [{"param": "model.network.width", "values": values}], seeds)
    refused(called("bench", "racing", file, "--worlds", 1, "--out", tmp_path / "out"), *said)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [("slots", "--worlds", 0), ("search", "--exp", "unet", "--slots", 0), ("search", "--exp", "unet", "--trials", -1)],
)
def test_a_simulation_of_nothing_is_refused(tmp_path: Path, arguments: tuple[object, ...]) -> None:
    refused(
        called("bench", *arguments, "--out", tmp_path / "out"), f"{str(arguments[-2])[2:]}={arguments[-1]}: at least 1"
    )
    assert not (tmp_path / "out").exists()


def test_what_seeds_have_in_common_is_measured_and_is_nothing_where_they_do_not_differ() -> None:
    def share(*ends: list[float]) -> float:
        curves = {key(SPACE.point(rank)): [[end] for end in one] for rank, one in enumerate(ends)}
        (found,) = common_shares(Recorded("stand-in", "cc_combined", COORDINATES, CONFIG, curves)).values()
        return found

    assert share([-0.5, -0.4, -0.6], [-0.3, -0.2, -0.4]) == pytest.approx(1)
    assert share([0.0, 0.1], [0.1, 0.0]) < 0
    assert share([-0.5, -0.5], [-0.3, -0.3]) == 0


@pytest.mark.parametrize("best", [0.5, -0.5])
def test_the_worse_is_worse_by_a_positive_share_whichever_direction_is_better(best: float) -> None:
    assert worse_by(best + 0.05, best) == pytest.approx(0.1)
    assert worse_by(best, best) == worse_by(0.0, 0.0) == 0
    assert worse_by(0.1, 0.0) > 0


def test_a_simulation_of_scores_of_which_higher_is_better_loses_what_one_of_lower_ones_does(tmp_path: Path) -> None:
    file = kept(tmp_path / "curves.json", COORDINATES, [3] * 6, sign=-1)
    found = vmsbench.simulate("racing", str(file), worlds=4, out=tmp_path)
    assert all(row["regret"] >= 0 for row in found.rows)
    found = vmsbench.simulate("stopping", str(file), worlds=4, out=tmp_path)
    assert {row["rule"]: row["worse"] for row in found.rows}["none"] == 0


SIMULATED = {"search": {"trials": 2}, "slots": {"most": 2}, "racing": {"slots": 3}, "stopping": {"slots": 3}}


@pytest.mark.parametrize("name", SIMULATIONS)
def test_the_command_of_a_simulation_does_the_same_again(tmp_path: Path, name: str) -> None:
    sources = [] if name == "slots" else [str(kept(tmp_path / "curves.json", COORDINATES, [2] * 6))]
    found = vmsbench.simulate(name, *sources, worlds=2, out=tmp_path / "some where", **SIMULATED[name])
    command = shlex.split(found.table[-1].strip().splitlines()[-1])
    given = {f"--{option}" for option in inspect.signature(SIMULATIONS[name]).parameters} - {"--source"}
    assert given - {"--runs", "--exp", "--space"} <= set(command)
    files = {file: file.read_bytes() for file in found.files}
    for file in files:
        file.unlink()
    assert called(*command[1:]).code == 0
    assert {file: file.read_bytes() for file in files} == files


def test_the_command_of_a_simulation_of_a_sweep_names_its_folder() -> None:
    words = again("racing", "mine", Path("some where"), worlds=3)
    assert words == "vmsbench bench racing mine --worlds 3 --runs 'some where'"


def test_a_race_of_the_recorded_curves_costs_less_than_all_seeds_each() -> None:
    curves = {key(SPACE.point(rank)): [falling(SPACE.point(rank))] * 3 for rank in range(6)}
    rows = {row.way: row for row in ways(Recorded("stand-in", "l1", COORDINATES, CONFIG, curves), [3], 5, 2)}
    assert rows["one seed"].trainings == 4
    assert rows["3 seeds each"].trainings == 12
    assert rows["race of 3"].trainings < 12
    assert [rows[way].epochs for way in ("one seed", "3 seeds each", "3 short seeds each")] == [32, 96, 24]
    assert all(row.changed == row.regret == 0 for row in rows.values())
