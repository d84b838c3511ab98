"""What the user asks of a running sweep: noted in its journal by its owner alone, and followed after a kill too."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vmsbench
from tests.support.command_line import called, refused
from tests.support.processes.running import SMALL, events, kill_everything, started, wait_for
from tests.support.processes.running import vmsbench as command
from tests.support.sweep_maker import make_sweep
from tests.support.sweeps.in_process import START, Killed, append_line_history, settings, told
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.experiment import run
from vmsbench.files import append_line, save_json
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.pruners import Pruner
from vmsbench.search.space import Parameter, Space
from vmsbench.store.reader import read_sweep
from vmsbench.store.sweep_folder import REQUESTS
from vmsbench.sweep import requests
from vmsbench.sweep.requests import STOPPED
from vmsbench.sweep.status import status
from vmsbench.sweep.trial import Callback, Trial, TrialSource
from vmsbench.sweep.tune import Driver, tune

Ask = Callable[[Trial], Any]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "PAUSE", 0.0)


def asking(ask: Ask) -> Driver:
    """A driver that calls `ask` within each trial, and then looks, as Ray's does, whether the trial goes on."""

    def drive(work: TrialSource, stopping: Pruner) -> bool:
        while (trial := work.ask()) is not None:
            ask(trial)
            if work.halted:
                return False
            if reason := work.unneeded(trial):
                append_line_history(trial, 1e-9)
                work.tell(trial, reason, None)
                continue
            run(trial.config, trial.folder)
            work.tell(trial, None, None)
        return work.finished

    return drive


def tuned(tmp_path: Path, ask: Ask = lambda trial: None, **changes: Any) -> Path:
    folder = tmp_path / "mine"
    tune(settings(**changes), folder, tmp_path, Callback(), asking(ask), "vmsbench tune", False)
    return folder


def stopping(tmp_path: Path, after: Ask = lambda trial: None) -> Ask:
    """Asks for the end of every trial that is not the start's."""

    def ask(trial: Trial) -> None:
        if trial.params != START and trial.parameter is not None:
            assert vmsbench.stop("mine", trial.id[:8], runs=tmp_path) == trial.id
            after(trial)

    return ask


def test_a_trial_that_is_stopped_is_pruned_by_the_user_and_cannot_win(tmp_path: Path) -> None:
    folder = tuned(tmp_path, stopping(tmp_path))
    (winner,) = told(folder, "winner")
    assert winner["params"] == START
    ends = {event["trial"]: event for event in told(folder, "finished")}
    stopped = [event["trial"] for event in told(folder, "steered")]
    assert stopped == [trial for trial, event in ends.items() if event["state"] == "pruned"] != []
    assert {ends[trial]["cause"] for trial in stopped} == {STOPPED}
    assert not list((folder / REQUESTS).iterdir())
    assert status(folder).steered == tuple(f"trial {trial} stopped" for trial in stopped)
    assert [trial.cause for trial in read_sweep(folder).trials if trial.id in stopped] == [STOPPED] * len(stopped)


@pytest.mark.parametrize("moment", ["before its owner reads it", "after its owner noted it"])
def test_a_request_is_followed_after_a_kill(tmp_path: Path, moment: str) -> None:
    whole = tuned(tmp_path / "whole", stopping(tmp_path / "whole"))

    def die(trial: Trial) -> None:
        if moment.startswith("after"):
            requests.Steering(requests.Journal(tmp_path / "cut" / "mine")).update()
        raise Killed

    with pytest.raises(Killed):
        tuned(tmp_path / "cut", stopping(tmp_path / "cut", die))
    cut = tuned(tmp_path / "cut", stopping(tmp_path / "cut"))
    assert told(cut, "settled") == told(whole, "settled")
    assert told(cut, "winner") == told(whole, "winner")
    assert [event["trial"] for event in told(cut, "steered")] == [event["trial"] for event in told(whole, "steered")]
    assert len({event["request"] for event in told(cut, "steered")}) == len(told(cut, "steered"))


def test_a_paused_sweep_continues_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = tuned(tmp_path / "whole")
    asked: list[str] = []

    def once(trial: Trial) -> None:
        if len(asked) < 2:
            asked.append(trial.id)
        if len(asked) == 2:
            asked.append("paused")
            vmsbench.pause("mine", runs=tmp_path)

    with pytest.raises(UserError, match=r"mine: paused by the user; `vmsbench resume mine --runs \S+` continues"):
        tuned(tmp_path, once)
    there = status(tmp_path / "mine")
    assert there.state == "interrupted"
    assert there.steered == ("paused",)
    assert "paused by the user" in str(there.why)
    folder = tuned(tmp_path)
    for kind in ("started", "settled", "winner"):
        assert told(folder, kind) == told(whole, kind)


def test_a_sweep_killed_as_it_pauses_stays_paused_once(tmp_path: Path) -> None:
    def die(trial: Trial) -> None:
        vmsbench.pause("mine", runs=tmp_path)
        raise Killed

    with pytest.raises(Killed):
        tuned(tmp_path, die)
    with pytest.raises(UserError, match="paused by the user"):
        tuned(tmp_path)
    assert told(tuned(tmp_path), "winner")


def test_a_larger_budget_holds_after_a_kill(tmp_path: Path) -> None:
    def die(trial: Trial) -> None:
        vmsbench.extend("mine", "2h", runs=tmp_path)
        raise Killed

    with pytest.raises(Killed):
        tuned(tmp_path, die, budget="1h")
    folder = tuned(tmp_path, budget="0.000000001h")
    assert told(folder, "winner")
    assert [event["budget"] for event in told(folder, "steered")] == ["2h"]
    assert status(folder).steered == ("budget=2h from then on",)


def test_a_larger_budget_is_more_than_that_of_this_start_in_its_unit(tmp_path: Path) -> None:
    """Started with none or another, killed, and started again with one in another unit."""

    def extend(budget: str, wrong: str = "") -> Ask:
        def ask(trial: Trial) -> None:
            if wrong:
                refused(called("extend", "mine", wrong, "--runs", tmp_path), f"budget={wrong}")
            vmsbench.extend("mine", budget, runs=tmp_path)
            requests.Steering(requests.Journal(tmp_path / "mine")).update()
            raise Killed

        return ask

    for given, wrong, more in (("1h", "2cpuh", "2h"), ("3cpuh", "3h", "4cpuh"), ("8h", "4h", "9h"), (None, "99h", "")):
        with pytest.raises(Killed):
            tuned(tmp_path, extend(more, wrong) if more else refusing(tmp_path, wrong), budget=given)
    with pytest.raises(UserError, match=r"budget=0\.0000000001h-billed is used up"):
        tuned(tmp_path, budget="0.0000000001h-billed")
    assert told(tuned(tmp_path, budget="0.0000000001cpuh"), "winner")


def refusing(runs: Path, budget: str) -> Ask:
    def ask(trial: Trial) -> None:
        refused(called("extend", "mine", budget, "--runs", runs), "has no budget that could grow")
        raise Killed

    return ask


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize(("param", "value"), [("model.network.width", 8), ("optimizers.network.lr", 0.02)])
def test_an_option_that_is_added_is_tried_and_may_win(tmp_path: Path, killed: bool, param: str, value: float) -> None:
    def add(trial: Trial) -> None:
        folder = tmp_path / "mine"
        if not told(folder, "steered") and not list(folder.glob(f"{REQUESTS}/*")):
            vmsbench.add("mine", param, value, runs=tmp_path)
            if killed:
                raise Killed

    if killed:
        with pytest.raises(Killed):
            tuned(tmp_path, add)
    folder = tuned(tmp_path, add)
    tried = {event["parameter"]: [one["value"] for one in event["options"]] for event in told(folder, "settled")}
    assert tried[param][-1] == value
    assert sum(map(len, tried.values())) == 3 + 2 + 1
    assert status(folder).steered == (f"{param}={value} added",)
    before = told(folder, "settled", "winner", "started")
    assert told(tuned(tmp_path), "settled", "winner", "started") == before, "it is replayed in its place"


def once(ask: Ask) -> Ask:
    """Within the first trial alone."""
    asked: list[Trial] = []

    def first(trial: Trial) -> None:
        asked.append(trial)
        if len(asked) == 1:
            ask(trial)

    return first


WIDER = {"what": "option", "parameter": "model.network.width", "value": 8}


def test_an_option_is_added_once_whether_its_owner_has_read_the_first_request_or_not(tmp_path: Path) -> None:
    def twice(trial: Trial) -> None:
        vmsbench.add("mine", "model.network.width", 8, runs=tmp_path)
        for _ in range(2):
            refused(called("add", "mine", "model.network.width=8.0", "--runs", tmp_path), "width=8", "twice")
            requests.Steering(requests.Journal(tmp_path / "mine")).update()

    folder = tuned(tmp_path, once(twice))
    assert [event["value"] for event in told(folder, "steered")] == [8]


@pytest.mark.parametrize("asked", [WIDER, WIDER | {"value": 4}, WIDER | {"parameter": "none"}])
def test_what_is_in_the_journal_twice_is_followed_once_in_every_start(tmp_path: Path, asked: dict[str, Any]) -> None:
    def both(trial: Trial) -> None:
        for number in range(2):
            save_json(tmp_path / "mine" / REQUESTS / f"{number}.json", {**asked})

    def die(trial: Trial) -> None:
        (tmp_path / "mine" / REQUESTS).mkdir(exist_ok=True)
        both(trial)
        requests.Steering(requests.Journal(tmp_path / "mine")).update()
        raise Killed

    with pytest.raises(Killed):
        tuned(tmp_path, die)
    folder = tuned(tmp_path)
    assert len(told(folder, "steered")) == 2
    tried = {event["parameter"]: [one["value"] for one in event["options"]] for event in told(folder, "settled")}
    assert tried["model.network.width"] == [2, 4, 6] + [8] * (asked == WIDER)
    assert tuned(tmp_path) == folder


def test_an_option_may_be_added_while_a_later_round_varies_its_parameter(tmp_path: Path) -> None:
    search = {"_target_": "vmsbench.search.coordinate.CoordinateSearch", "rounds": 2}
    width = "model.network.width"

    def ask(trial: Trial) -> None:
        folder = tmp_path / "mine"
        rounds = [event["round"] for event in told(folder, "settled") if event["parameter"] == width]
        if rounds == [1] and not told(folder, "steered") and not list(folder.glob(f"{REQUESTS}/*")):
            vmsbench.add("mine", width, 8, runs=tmp_path)
        if told(folder, "winner"):
            refused(called("add", "mine", f"{width}=10", "--runs", tmp_path), f"{width} is settled in mine")

    folder = tuned(tmp_path, ask, searcher=search)
    settled = [event for event in told(folder, "settled") if event["parameter"] == width]
    assert [[one["value"] for one in event["options"]] for event in settled] == [[2, 4, 6], [2, 4, 6, 8]]


ODD = ("1,2", "a b{", "", "{", "[", "]", "choice(1,2)", "range(1,9)", "glob(*)", "${nothing}", "nan", "inf", "1e400")
ODD += (
    "null",
    "true",
    "[8]",
    "{a: 1}",
    "{1: 2, a: 3}",
    "'8",
    "8 9",
    "é",
    "\\",
    "=8",
    "wide",
    "1.5",
    "0",
    "-1",
    "9" * 11,
)


@pytest.mark.parametrize("param", ["model.network.width", "optimizers.network.lr"])
def test_a_value_that_is_none_is_refused_in_one_line(tmp_path: Path, param: str) -> None:
    def ask(trial: Trial) -> None:
        for value in set(ODD) - ({"1.5", "0", "9" * 11} if param.endswith("lr") else set()):
            refused(called("add", "mine", f"{param}={value}", "--runs", tmp_path), param)
        for odd in (object(), {1, 2}, b"8", float("nan"), {1: 2, "a": 3}):
            with pytest.raises(ConfigurationError, match=param):
                vmsbench.add("mine", param, odd, runs=tmp_path)
        raise Killed

    with pytest.raises(Killed):
        tuned(tmp_path, ask)
    assert not list(tmp_path.glob(f"mine/{REQUESTS}/*"))


def test_an_option_is_added_to_what_is_open_and_to_what_follows() -> None:
    search, asked = CoordinateSearch(Space([Parameter("a", [1, 2]), Parameter("b", [1, 2])], {"a": 1, "b": 1})), []
    while (params := search.ask()) is not None:
        asked.append((params["a"], params["b"]))
        if len(asked) == 1:
            search.add_option("a", 3)
            search.add_option("b", 0)
        search.tell(params, 10.0 - params["a"] - params["b"])
    assert asked == [(1, 1), (2, 1), (3, 1), (3, 2), (3, 0)]
    assert search.incumbent == {"a": 3, "b": 2}


@pytest.mark.parametrize(("state", "said"), [("complete", "completed"), ("failed", "failed")])
def test_a_trial_that_ends_by_itself_as_it_is_stopped_is_not_listed_as_stopped(
    tmp_path: Path, state: str, said: str
) -> None:
    folder = make_sweep(tmp_path, "unet")
    asked = {"event": "steered", "time": 9.0, "request": "1", "what": "stop", "trial": "late"}
    append_line(folder / "journal.jsonl", asked)
    assert read_sweep(folder).steered == ("trial late to be stopped",)
    end = {"event": "finished", "time": 9.1, "trial": "late", "state": state, "score": None, "epoch": 1, "seconds": 1.0}
    append_line(folder / "journal.jsonl", end)
    assert read_sweep(folder).steered == (f"trial late {said} before it could be stopped",)


def test_what_cannot_be_asked_is_refused_in_one_line(tmp_path: Path) -> None:
    errors: list[str] = []

    def ask(trial: Trial) -> None:
        if errors or trial.parameter is None:
            return
        for wrong, kind in (
            (lambda: vmsbench.stop("mine", "none", runs=tmp_path), UserError),
            (lambda: vmsbench.add("mine", "model.network.widht", 3, runs=tmp_path), ConfigurationError),
            (lambda: vmsbench.add("mine", "model.network.width", 4, runs=tmp_path), ConfigurationError),
            (lambda: vmsbench.add("mine", "model.network.width", "wide", runs=tmp_path), ConfigurationError),
            (lambda: vmsbench.extend("mine", "1h", runs=tmp_path), ConfigurationError),
            (lambda: vmsbench.extend("mine", "3gpuh", runs=tmp_path), ConfigurationError),
            (lambda: vmsbench.extend("mine", "lots", runs=tmp_path), ConfigurationError),
        ):
            with pytest.raises(kind) as raised:
                wrong()
            errors.append(str(raised.value))

    folder = tuned(tmp_path, ask, budget="1h")
    assert "none names none of its trials; running: " in errors[0]
    assert all("\n" not in error for error in errors)
    assert told(folder, "steered") == []
    with pytest.raises(UserError, match="mine is not running"):
        vmsbench.pause("mine", runs=tmp_path)
    over = told(folder, "finished")[0]["trial"]
    with pytest.raises(UserError, match=f"{over} is over; running: none"):
        vmsbench.stop("mine", over, runs=tmp_path)
    with pytest.raises(UserError, match="no sweep yours"):
        vmsbench.pause("yours", runs=tmp_path)


@pytest.mark.slow
def test_a_sweep_on_ray_is_steered_while_it_runs(tmp_path: Path) -> None:
    arguments = ["tune", "--exp", "unet", "--cpus", "2", *SMALL, "trainer.epochs=400"]
    process = started(arguments, tmp_path)
    folder = tmp_path / "runs" / "unet"
    try:
        wait_for(lambda: any((folder / "trials").glob("*/history.jsonl")), process, tmp_path)
        trial = events(folder, "started")[0]["trial"]
        vmsbench.stop("unet", trial[:6], runs=tmp_path / "runs")  # at once: the trial has seconds to live
        wait_for(lambda: any(e["trial"] == trial for e in events(folder, "finished")), process, tmp_path)
        (end,) = (event for event in events(folder, "finished") if event["trial"] == trial)
        assert (end["state"], end["cause"]) == ("pruned", STOPPED)
        assert command("pause", "unet", cwd=tmp_path).returncode == 0
        assert process.wait(120) == 2
    finally:
        kill_everything(process)
    assert "interrupted" in command("status", "unet", cwd=tmp_path).stdout
    before = sum(len(lines.read_text()) for lines in (folder / "trials").glob("*/history.jsonl"))
    again = started(["resume", "unet", "--cpus", "2"], tmp_path)
    try:
        epochs = (folder / "trials").glob
        wait_for(lambda: sum(len(one.read_text()) for one in epochs("*/history.jsonl")) > before, again, tmp_path)
    finally:
        kill_everything(again)
