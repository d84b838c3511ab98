"""Sweeps and finals without Ray: trials run one after the other in this process, and die in the middle of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.sweeps.in_process import (
    CONFIG,
    SPACE,
    START,
    Killed,
    append_line_history,
    driver,
    in_turn,
    settings,
    study,
    sweep,
    told,
)
from tests.support.tiny import files_in
from vmsbench.config.settings import with_settings
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.experiment import run
from vmsbench.files import read_json, read_lines
from vmsbench.search.configured import first_choices, searcher_for
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.pruners import AshaPruner, GuardedAshaPruner, IncumbentPruner, NoPruner, Pruner, smooth
from vmsbench.search.searcher import without_run
from vmsbench.search.space import Space
from vmsbench.search.wrappers.filled import Filled
from vmsbench.search.wrappers.repeated import Repeated
from vmsbench.signals import GRACE, SIGNALS, Interruption, deferred, noted, stoppable
from vmsbench.store.journal import Journal
from vmsbench.store.lock import SILENCE, oneself, owned
from vmsbench.sweep.finals import Finals, finalists
from vmsbench.sweep.sweep import Sweep
from vmsbench.sweep.trial import UNNEEDED, Callback, Trial, TrialResult, TrialSource
from vmsbench.sweep.tune import final, tune


def test_a_sweep_settles_each_coordinate_and_names_its_winner(tmp_path: Path) -> None:
    whole = sweep(tmp_path)
    in_turn(whole)
    assert whole.finished
    assert [event["parameter"] for event in told(tmp_path, "settled")] == [one.param for one in SPACE]
    (winner,) = told(tmp_path, "winner")
    scores = {event["trial"]: event["score"] for event in told(tmp_path, "finished")}
    assert winner["score"] == min(scores.values()) == scores[winner["trial"]]
    assert len(scores) == 4
    assert all((tmp_path / "trials" / trial / "results.json").exists() for trial in scores)


def test_a_sweep_killed_anywhere_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    in_turn(sweep(tmp_path / "whole"))
    for trial in range(4):
        folder = tmp_path / f"killed-{trial}"
        seen: list[str] = []

        def kill(trial_now: Trial, seen: list[str] = seen, at: int = trial) -> None:
            seen.append(trial_now.id)
            if len(seen) == at + 1:
                raise Killed

        with pytest.raises(Killed):
            in_turn(sweep(folder), kill)
        again: list[str] = []
        in_turn(sweep(folder), lambda trial, again=again: again.append(trial.id))
        assert set(seen[:-1]).isdisjoint(again), "a configuration was trained twice to its end"
        for kinds in (["started"], ["settled"], ["winner"]):
            assert told(folder, *kinds) == told(tmp_path / "whole", *kinds)


def test_a_trial_that_ended_unseen_is_not_run_again(tmp_path: Path) -> None:
    dying = sweep(tmp_path)
    trial = dying.ask()
    assert trial is not None
    run(trial.config, trial.folder)
    ran: list[str] = []
    in_turn(sweep(tmp_path), lambda one: ran.append(one.id))
    assert trial.id not in ran
    assert [event["state"] for event in told(tmp_path, "finished")] == ["complete"] * 4


def test_a_journal_cut_in_the_middle_of_a_line_is_continued(tmp_path: Path) -> None:
    in_turn(sweep(tmp_path / "whole"))
    in_turn(sweep(tmp_path / "cut"))
    journal = tmp_path / "cut" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-150])
    in_turn(sweep(tmp_path / "cut"))
    assert told(tmp_path / "cut", "winner") == told(tmp_path / "whole", "winner")


def test_a_finished_sweep_runs_and_writes_nothing_more(tmp_path: Path) -> None:
    in_turn(sweep(tmp_path))
    before = (tmp_path / "journal.jsonl").read_bytes()
    again = sweep(tmp_path)
    assert again.ask() is None
    assert again.finished
    assert (tmp_path / "journal.jsonl").read_bytes() == before


def test_a_stopped_trial_cannot_win(tmp_path: Path) -> None:
    stopping = sweep(tmp_path)
    while (trial := stopping.ask()) is not None:
        if trial.params == START:
            run(trial.config, trial.folder)
            stopping.tell(trial, None, None)
        else:
            append_line_history(trial, 1e-9)
            stopping.tell(trial, "ASHA at epoch 1", None)
    assert told(tmp_path, "winner")[0]["params"] == START
    outcomes = {event["state"] for event in told(tmp_path, "finished")}
    assert outcomes == {"complete", "pruned"}


def test_a_failed_trial_stays_failed_until_it_is_to_be_tried_again(tmp_path: Path) -> None:
    broken = with_settings(CONFIG, {"trainer.batch_size": 999})
    in_turn(sweep(tmp_path, broken))
    assert {event["state"] for event in told(tmp_path, "finished")} == {"failed"}
    assert sweep(tmp_path, broken).ask() is None
    assert sweep(tmp_path, broken, retry=True).ask() is not None


def test_finals_train_the_winner_again_from_other_seeds_and_score_the_test_pairs(tmp_path: Path) -> None:
    whole = sweep(tmp_path)
    in_turn(whole)
    assert whole.winner is not None
    finals = Finals(tmp_path, finalists(tmp_path, Space(SPACE, CONFIG), 1), 2, Callback())
    in_turn(finals)
    assert finals.finished
    events = told(tmp_path, "final")
    assert [event["seed"] for event in events] == [1000, 1001]
    for event in events:
        assert read_json(tmp_path / "final" / event["trial"] / "results.json")["test_scores"] == event["scores"]
    assert Finals(tmp_path, finalists(tmp_path, Space(SPACE, CONFIG), 1), 2, Callback()).finished


def test_finals_take_the_winner_and_then_the_best_others_by_tuning_score(tmp_path: Path) -> None:
    done = study(tmp_path)
    trials = {e["trial"]: e["score"] for e in told(done, "finished")}
    best = finalists(done, Space(SPACE, CONFIG), 3)
    assert [one.trial for one in best] == sorted(trials, key=lambda trial: trials[trial])[:3]
    assert [one.rank for one in best] == [1, 2, 3]
    assert len(finalists(done, Space(SPACE, CONFIG), 99)) == len(trials)


def test_more_finals_add_to_those_there_are_and_read_the_test_pairs_once_each(tmp_path: Path) -> None:
    done = study(tmp_path)
    first = told(done, "final")
    assert [(event["rank"], event["seed"], event["test_reads"]) for event in first] == [(1, 1000, 1)]
    final(done, tmp_path / "runs", {}, 2, 2, Callback(), driver)
    events = told(done, "final")
    assert events[0] == first[0]
    assert [(event["rank"], event["seed"]) for event in events] == [(1, 1000), (2, 1000), (1, 1001), (2, 1001)]
    for event in events:
        folder = done / "final" / event["trial"]
        assert (
            read_json(folder / "results.json")["test_reads"] == len(list(read_lines(folder / "test_reads.jsonl"))) == 1
        )
        assert (
            read_json(folder / "config.json")["model"]
            == read_json(done / "trials" / event["of"] / "config.json")["model"]
        )
    final(done, tmp_path / "runs", {}, 2, 2, Callback(), driver)
    assert told(done, "final") == events


def test_a_final_that_had_to_read_the_test_pairs_again_says_so(tmp_path: Path) -> None:
    done = study(tmp_path)
    (folder,) = (done / "final").iterdir()
    (folder / "results.json").unlink()
    assert run(read_json(folder / "config.json"), folder)["test_reads"] == 2


def test_no_trial_of_the_search_reads_the_test_pairs(tmp_path: Path) -> None:
    done = study(tmp_path)
    for trial in (done / "trials").iterdir():
        assert not (trial / "test_reads.jsonl").exists()
        assert not {"test_scores", "fid", "train_scores"} & set(read_json(trial / "results.json"))


def test_finals_of_an_unfinished_search_are_refused_with_the_command_that_finishes_it(tmp_path: Path) -> None:
    done = study(tmp_path)
    journal = [line for line in (done / "journal.jsonl").read_text().splitlines() if "winner" not in line]
    (done / "journal.jsonl").write_text("\n".join(journal) + "\n")
    with pytest.raises(UserError, match="has no winner yet; first finish its search: `vmsbench tune"):
        final(done, tmp_path / "runs", {}, 3, 5, Callback(), driver)
    with pytest.raises(ConfigurationError, match="--top 0 --seeds 5: from 1 to 1000 of each"):
        final(done, tmp_path / "runs", {}, 0, 5, Callback(), driver)


def test_a_sweep_that_requires_fid_fails_before_any_training_where_its_weights_are_missing(tmp_path: Path) -> None:
    missing = {"weights": str(tmp_path / "none.pth"), "required": True}
    with pytest.raises(ConfigurationError, match=r"fid=required: no Inception weights at .*none.pth; download"):
        study(tmp_path, fid=missing)
    assert not (tmp_path / "runs" / "mine").exists()
    done = study(tmp_path)
    with pytest.raises(ConfigurationError, match="fid=required: no Inception weights"):
        final(done, tmp_path / "runs", {"fid": missing}, 3, 5, Callback(), driver)


def test_a_study_leaves_all_that_a_report_needs(tmp_path: Path) -> None:
    done = study(tmp_path)
    described = read_json(done / "sweep.json")
    assert described["dataset"] == {
        "title": "tiny squares",
        "digest": "tiny",
        "size": 32,
        "coding": "rg",
        "train": 24,
        "validation": 8,
        "test": 8,
    }
    assert set(read_json(done / "baselines.json")["test"]) >= {"black", "pixel_mean", "pixel_median"}
    assert len(read_json(done / "splits.json")["validation"]) == 8
    assert not (done / "lock").exists()


def test_at_most_twelve_files_are_left_by_a_trial_however_long(tmp_path: Path) -> None:
    done = study(tmp_path, trainer=CONFIG["trainer"] | {"epochs": 14})
    for folder in [*(done / "trials").iterdir(), *(done / "final").iterdir()]:
        assert len(files_in(folder)) <= 12


def test_a_sweep_of_the_same_name_with_other_settings_is_refused_naming_them(tmp_path: Path) -> None:
    study(tmp_path)
    with pytest.raises(ConfigurationError, match=r"trainer.batch_size was 5, is 6; give the new one another --name"):
        study(tmp_path, trainer=CONFIG["trainer"] | {"batch_size": 6})
    with pytest.raises(ConfigurationError, match=r"searcher.rounds was 1, is 2"):
        study(tmp_path, searcher={"_target_": "vmsbench.search.coordinate.CoordinateSearch", "rounds": 2})


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ([{"param": "optimizers.network.lrr", "values": [1.0]}], "did you mean optimizers.network.lr"),
        ([{"param": "model.network.width", "values": []}], "model.network.width has no options"),
        ([{"param": "model.network.norm", "values": ["batch"]}], "model.network.norm is not a setting"),
        ([{"param": "model.network.width", "values": [4, -1]}], "model.network.width=-1 does not work"),
    ],
)
def test_an_impossible_space_is_refused_before_anything_is_trained(
    parameters: list[dict[str, Any]], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        study(tmp_path, space={"parameters": parameters})
    assert not (tmp_path / "runs" / "mine").exists()


def test_a_sweep_is_one_processs_at_a_time(tmp_path: Path) -> None:
    with owned(tmp_path), pytest.raises(UserError, match="in use by process"), owned(tmp_path):
        pass


def lock_of(folder: Path, **changes: Any) -> Path:
    """A lock as another process would leave it."""
    lock = folder / "lock"
    lock.write_text(json.dumps(oneself() | changes))
    return lock


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    lock = lock_of(tmp_path, pid=dead.pid)
    with owned(tmp_path):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_has_the_number_of_a_dead_one_is_not_its_owner(tmp_path: Path) -> None:
    lock_of(tmp_path, begun="another boot 17")
    with owned(tmp_path):
        pass


def test_of_many_that_take_over_a_dead_owners_lock_one_gets_it(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(json.dumps(oneself() | {"pid": 0}))
    program = (
        "import sys, time; from pathlib import Path; from vmsbench.store.lock import owned\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "with owned(Path(sys.argv[1])):\n"
        "    print('mine', flush=True); sys.stdin.read()\n"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    while sum(racer.poll() is not None for racer in racers) < 3:
        time.sleep(0.02)
    lines = [racer.communicate()[0] for racer in racers]
    assert lines.count("mine\n") == 1
    assert sorted(racer.returncode for racer in racers) == [0, 1, 1, 1]


def test_the_lock_of_another_host_is_taken_over_when_it_is_silent_and_not_before(tmp_path: Path) -> None:
    lock = lock_of(tmp_path, host="elsewhere", pid=1)
    with (
        pytest.raises(UserError, match=r"process 1 on elsewhere; if that process is gone, wait 120 s"),
        owned(tmp_path),
    ):
        pass
    long_ago = time.time() - SILENCE - 5
    os.utime(lock, (long_ago, long_ago))
    with owned(tmp_path):
        assert json.loads(lock.read_text())["pid"] == os.getpid()


def test_an_owner_touches_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmsbench.store.lock.BEAT", 0.01)
    with owned(tmp_path):
        os.utime(tmp_path / "lock", (0, 0))
        deadline = time.monotonic() + 30
        while (tmp_path / "lock").stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (tmp_path / "lock").stat().st_mtime > 0


def test_a_study_that_is_interrupted_says_so_in_its_journal_and_that_it_was_continued(tmp_path: Path) -> None:
    def cut(work: TrialSource, stopping: Pruner) -> bool:
        trial = work.ask()
        assert trial is not None
        raise KeyboardInterrupt

    folder = tmp_path / "runs" / "mine"
    with pytest.raises(KeyboardInterrupt):
        tune(settings(), folder, tmp_path / "runs", Callback(), cut, "vmsbench tune", False)
    assert not (folder / "lock").exists()
    study(tmp_path)
    events = [event["event"] for event in read_lines(folder / "journal.jsonl")]
    assert events[:5] == ["session", "started", "interrupted", "continued", "session"]
    assert events.count("winner") == 1


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_each_signal_that_asks_to_stop_is_an_interruption_and_handlers_are_given_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stoppable(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


@pytest.fixture
def calls() -> Iterator[list[str]]:
    """Who is called by signals, Ray Tune's handler among them, while an armed interruption handles them."""
    calls: list[str] = []
    before = signal.getsignal(signal.SIGUSR1)
    interruption = Interruption(lambda: calls.append("drain"))
    with interruption.handling():
        signal.signal(signal.SIGUSR1, lambda *_: calls.append("ray"))
        interruption.arm()
        yield calls
    assert signal.getsignal(signal.SIGUSR1) is before


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_the_first_signal_lets_trials_leave_and_the_second_is_left_to_ray(
    number: signal.Signals, calls: list[str]
) -> None:
    signal.raise_signal(number)
    assert calls == ["drain"]
    signal.raise_signal(signal.SIGTERM)
    assert calls == ["drain", "ray"]


def test_trials_that_do_not_leave_in_time_are_left_to_ray(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GRACE, signal.SIGTERM, 0.01)
    signal.raise_signal(signal.SIGTERM)
    while "ray" not in calls:
        time.sleep(0.01)
    assert calls == ["drain", "ray"]


def test_a_second_ctrl_c_stops_at_once(calls: list[str]) -> None:
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_who_asks_is_told_of_the_first_signal_and_a_second_ctrl_c_stops_at_once() -> None:
    with noted() as asked:
        assert not asked()
        signal.raise_signal(signal.SIGTERM)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_processes_started_while_signals_are_deferred_never_see_them() -> None:
    with deferred(SIGNALS):
        child = subprocess.Popen(["sleep", "30"])
    child.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.3)
    child.kill()
    child.wait()


def test_asha_spares_what_is_as_good_as_the_incumbent_and_the_incumbent_itself() -> None:
    rule, incumbent = GuardedAshaPruner(margin=0.1), {1: 1.0, 2: 0.8, 3: 0.6, 4: 0.5}
    assert rule.stop_reason(incumbent, incumbent, 8, halved=True) is None
    assert rule.stop_reason({1: 1.05, 2: 0.85}, incumbent, 8, halved=True) is None
    assert rule.stop_reason({1: 1.2, 2: 1.0}, incumbent, 8, halved=False) is None
    said = rule.stop_reason({1: 1.2, 2: 1.0}, incumbent, 8, halved=True)
    assert said is not None
    assert said.startswith("ASHA at epoch 2: 1.1000, the incumbent had")


def test_asha_spares_where_the_incumbent_has_no_curve_yet() -> None:
    assert GuardedAshaPruner().stop_reason({1: 9.0, 2: 9.0}, {1: 1.0}, 8, halved=True) is None
    assert AshaPruner().stop_reason({1: 9.0}, {}, 8, halved=True) == "ASHA at epoch 1: 9.0000, in the worse part"
    assert AshaPruner().stop_reason({1: 9.0}, {}, 8, halved=False) is None


def test_the_incumbent_rule_stops_what_cannot_catch_up_and_nothing_else() -> None:
    """The incumbent fell by .2 from epoch 4 on: with speed 2 a trial may hope for .4."""
    incumbent = {1: 2.0, 2: 1.6, 3: 1.3, 4: 1.2, 5: 1.1, 6: 1.05, 7: 1.0, 8: 1.0}
    rule = IncumbentPruner(grace_period=0.25, speed=2.0, margin=0.0)
    late = smooth(incumbent, 4) - smooth(incumbent, 8)
    hopeful, hopeless = 1.0 + 2 * late - 0.01, 1.0 + 2 * late + 0.01
    assert rule.stop_reason(dict.fromkeys(range(1, 5), hopeful), incumbent, 8, halved=True) is None
    said = rule.stop_reason(dict.fromkeys(range(1, 5), hopeless), incumbent, 8, halved=False)
    assert said is not None
    assert said.startswith("incumbent rule at epoch 4")
    assert rule.stop_reason({1: 99.0}, incumbent, 8, halved=False) is None  # within the grace_period
    assert rule.stop_reason({4: 99.0}, {4: 1.0}, 8, halved=False) is None  # an incumbent that is not at its end yet
    assert rule.stop_reason(incumbent, incumbent, 8, halved=False) is None


@pytest.mark.parametrize(("epochs", "grace_period"), [(100, 25), (12, 3), (2, 1)])
def test_every_trial_has_its_grace(epochs: int, grace_period: int) -> None:
    halving = GuardedAshaPruner(grace_period=0.25).halving(epochs)
    assert halving is not None
    assert (halving.epochs, halving.grace_period) == (epochs, grace_period)
    assert NoPruner().halving(epochs) is None
    assert GuardedAshaPruner(grace_period=1.0).halving(epochs) is None


def test_a_watcher_hears_of_every_trial_once(tmp_path: Path) -> None:
    class Heard(Callback):
        def __init__(self) -> None:
            self.starts: list[str] = []
            self.ends: list[str] = []

        def on_trial_start(self, trial: Trial) -> None:
            self.starts.append(trial.id)

        def on_trial_end(self, trial: Trial, outcome: TrialResult) -> None:
            self.ends.append(trial.id)

    heard = Heard()
    study(tmp_path, heard)
    assert heard.starts == heard.ends
    assert len(set(heard.starts)) == 5


def test_the_best_of_a_finished_sweep_is_tried_first(tmp_path: Path) -> None:
    done, space = study(tmp_path), Space(SPACE, CONFIG)
    (won,) = [event for event in Journal(done).events() if event["event"] == "winner"]
    runs = tmp_path / "runs"
    assert first_choices([done.name], space, runs) == [won["params"]]
    with pytest.raises(UserError, match=r"no sweep nothing in .*"):
        first_choices(["nothing"], space, runs)
    searcher = searcher_for(settings(), space, first_choices([done.name], space, runs))
    assert won["params"] in [searcher.ask(), searcher.ask()]


def filled(folder: Path) -> Sweep:
    folder.mkdir(exist_ok=True)
    space = Space(SPACE, CONFIG)
    return Sweep(folder, space, Filled(CoordinateSearch(space), space.base["seed"]), Callback())


def test_an_extra_trial_that_made_way_continues_after_a_kill_and_never_wins_by_itself(tmp_path: Path) -> None:
    dying = filled(tmp_path)
    running = [trial for trial in (dying.ask() for _ in range(5)) if trial is not None]
    *needed, extra, seeded = running
    assert [event.get("extra") for event in read_lines(tmp_path / "journal.jsonl")] == [None] * 3 + [True] * 2
    run(seeded.config, seeded.folder)
    dying.tell(seeded, None, None)
    dying.tell(extra, UNNEEDED, None)
    again = filled(tmp_path)
    resumed = [again.ask() for _ in range(3)]
    assert [trial.id for trial in resumed if trial] == [trial.id for trial in needed]
    assert (further := again.ask()) is not None
    assert further.id == extra.id, "it made way, and continues"
    in_turn(filled(tmp_path))
    in_turn(sweep(tmp_path / "plain"))
    assert told(tmp_path / "plain", "settled", "winner") == told(tmp_path, "settled", "winner")
    top = finalists(tmp_path, Space(SPACE, CONFIG), 9)
    assert seeded.id not in [one.trial for one in top]


def test_pruners_compare_a_run_with_the_incumbents_of_the_same_seed(tmp_path: Path) -> None:
    space = Space(SPACE, CONFIG)
    seeds = Sweep(tmp_path, space, Repeated(CoordinateSearch(space), 2, space.base["seed"]), Callback())
    asked = [trial for trial in (seeds.ask() for _ in range(8)) if trial is not None]
    best, *others = [trial for trial in asked if without_run(trial.params) == space.start]
    assert len(others) == 1, "both seeds of the start"
    for trial in (best, *others):
        append_line_history(trial, trial.config["seed"] + 0.5)
    assert [seeds.reference(trial) for trial in (best, *others)] == [{}, {}]
    against = {trial.config["seed"]: seeds.reference(trial) for trial in asked if trial not in (best, *others)}
    assert {seed: [*curve.values()] for seed, curve in against.items()} == {0: [0.5], 1: [1.5]}
