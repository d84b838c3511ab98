"""When trials fail, sweeps die or hours run out: nothing lost, nothing made up, nothing done twice."""

import random
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.sweeps.failing import OUT_OF_MEMORY, broken
from tests.support.sweeps.in_process import CONFIG, SPACE, in_turn, settings, sweep, told
from tests.support.tiny import MODELS, configuration, dataset
from vmsbench.config.instantiate import build
from vmsbench.config.settings import with_settings
from vmsbench.errors import ConfigurationError, DataError, UserError
from vmsbench.experiment import config_hash
from vmsbench.files import append_line, read_json, read_lines, save_json
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.space import Space
from vmsbench.store.journal import Journal
from vmsbench.store.lock import owned
from vmsbench.store.usage import SlotHours, slot_hours
from vmsbench.sweep import failures
from vmsbench.sweep.budget import Budget, read_budget
from vmsbench.sweep.failures import Failure
from vmsbench.sweep.sweep import Sweep
from vmsbench.sweep.trial import Callback, Trial
from vmsbench.sweep.trial_cache import TrialCache
from vmsbench.sweep.tune import tune
from vmsbench.training.trainer import Diverged, Training
from vmsbench.versions import code_version


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("CUDA out of memory. OptionResult to allocate 2 GiB"), failures.GPU_MEMORY),
        (RuntimeError("XPU out of memory. Tried to allocate 2.00 GiB"), failures.GPU_MEMORY),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), failures.GPU_MEMORY),
        (
            RuntimeError("level_zero backend failed with error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)"),
            failures.GPU_MEMORY,
        ),
        (RuntimeError("HIP out of memory. Tried to allocate 2.00 GiB"), failures.GPU_MEMORY),
        (torch.cuda.OutOfMemoryError("no"), failures.GPU_MEMORY),
        (MemoryError(), failures.HOST_MEMORY),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), failures.HOST_MEMORY),
        (Diverged("diverged: the training loss is nan"), failures.NAN),
        (ConfigurationError("no"), failures.CONFIGURATION),
        (DataError("no"), failures.DATA),
        (TypeError("no"), failures.CODE),
    ],
)
def test_failures_have_names(error: Exception, kind: str) -> None:
    assert Failure.of(error).kind == kind


@pytest.mark.parametrize("exp", ["unet", "gan", "wgan"])
def test_micro_batches_give_the_gradients_of_the_whole_batch(exp: str) -> None:
    """Without norms, dropout and augmentation, which see what goes through the network at once."""
    config = configuration(**MODELS[exp])
    config["model"]["network"] |= {"dropout": 0.0, "norm": "none"}
    if exp != "unet":
        config["model"]["discriminator"] |= {"norm": "none", "spectral": False}
    if exp == "wgan":
        config["model"] |= {"critic_steps": 2, "clip": 0.01, "penalty": 0.0}
        del config["model"]["augmentation"]
    found = []
    for micro in (None, 4, 2):
        torch.manual_seed(0)
        data = dataset()
        model = build(config["model"], channels=2, size=32)
        optimizers = {name: build({**MODELS["gan"]["optimizers"]["discriminator"]}) for name in model.players()}
        training = Training(
            model, data.train, 2, optimizers, lambda image, target: (image, target), *schedule(), 6, micro_batch=micro
        )
        noise = torch.get_rng_state()
        image, target, features = training.batch(torch.arange(6))
        torch.set_rng_state(noise)
        seen: dict[str, Any] = {}
        for _ in range(2):
            training.one_step(image, target, features, seen)
        found.append(([w.detach().clone() for w in model.parameters()], {n: float(v[0]) for n, v in seen.items()}))
    for weights, values in found[1:]:
        assert values == pytest.approx(found[0][1], rel=1e-5)
        for weight, whole in zip(weights, found[0][0], strict=True):
            torch.testing.assert_close(weight, whole, rtol=1e-4, atol=1e-6)


def schedule() -> tuple[Any, int]:
    return build({"_target_": "vmsbench.training.lr_schedules.ConstantLR"}), 1


def test_the_micro_batch_is_no_part_of_an_experiments_name() -> None:
    assert config_hash(with_settings(CONFIG, {"trainer.micro_batch": 2})) == config_hash(CONFIG)


def test_a_trial_out_of_memory_is_tried_once_more_with_half_the_micro_batch(tmp_path: Path) -> None:
    one = sweep(tmp_path)
    first = one.ask()
    assert first is not None
    one.tell(first, None, OUT_OF_MEMORY)
    again = one.ask()
    assert again is not None
    assert (again.id, again.config["trainer"]["micro_batch"]) == (first.id, 3)
    assert again.config["trainer"]["batch_size"] == 5
    after_a_kill = sweep(tmp_path).ask()
    assert after_a_kill is not None
    assert after_a_kill.config["trainer"]["micro_batch"] == 3
    one.tell(again, None, OUT_OF_MEMORY)
    (ended,) = told(tmp_path, "finished")
    assert (ended["state"], ended["kind"], ended["score"]) == ("failed", failures.GPU_MEMORY, None)


def test_a_trial_in_micro_batches_is_trained_to_its_end(tmp_path: Path) -> None:
    one = sweep(tmp_path)
    first = one.ask()
    assert first is not None
    one.tell(first, None, OUT_OF_MEMORY)
    in_turn(one)
    assert one.finished
    assert {event["state"] for event in told(tmp_path, "finished")} == {"complete"}
    assert read_json(first.folder / "config.json")["trainer"]["micro_batch"] == 3


def test_the_same_traceback_twice_stops_the_sweep(tmp_path: Path) -> None:
    one = sweep(tmp_path)
    told_of = []
    while (trial := one.ask()) is not None:
        trial.folder.mkdir(parents=True)
        told_of.append(trial.id)
        one.tell(trial, None, broken(trial))
    assert len(told_of) == 2
    assert one.halted
    assert "2 trials failed in the same way" in one.halted
    assert "code error: KeyError" in one.halted
    assert sweep(tmp_path).halted == one.halted, "a new start forgot it"
    assert sweep(tmp_path, retry=True).halted is None


def test_different_errors_do_not(tmp_path: Path) -> None:
    one = sweep(tmp_path)
    first, second = one.ask(), one.ask()
    assert first is not None
    assert second is not None
    one.tell(first, None, broken(first))
    one.tell(second, None, Failure.of(TypeError("another")))
    assert one.halted is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hello", "line 2: not JSON"),
        ('{"event": "finished", "trial": "x"}', "line 2: finished with state = None"),
        (
            '{"event": "finished", "trial": "x", "state": "great", "score": 1, "epoch": 1, "seconds": 1}',
            "line 2: finished with state = 'great'; it is one of complete",
        ),
        ('{"event": "started", "trial": 7, "params": {}}', "line 2: started with trial = 7"),
        ("[1, 2]", "line 2: not an event"),
    ],
)
def test_a_journal_edited_into_nonsense_is_refused_with_the_lines_number(line: str, said: str, tmp_path: Path) -> None:
    in_turn(sweep(tmp_path))
    journal = tmp_path / "journal.jsonl"
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([lines[0], line, *lines[1:]]) + "\n")
    with pytest.raises(UserError, match=said):
        sweep(tmp_path)


def test_a_line_that_a_crash_cut_is_cut_off_before_the_next_is_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write("started", trial="a", params={})
    journal.write("started", trial="b" * 9000, params={})
    for end in (-1, -20, -5000):
        cut = Journal(tmp_path / str(end))
        cut.path.parent.mkdir()
        cut.path.write_bytes(journal.path.read_bytes()[:end])
        cut.write("started", trial="c", params={})
        assert [event["trial"] for event in cut.events()] == ["a", "c"]


def settled_elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "first"
    in_turn(sweep(folder))
    return folder


def reusing(tmp_path: Path) -> tuple[Sweep, list[str]]:
    folder = tmp_path / "second"
    folder.mkdir()
    space = Space(SPACE, CONFIG)
    second = Sweep(folder, space, CoordinateSearch(space), Callback(), reuse=TrialCache(tmp_path, folder).take)
    ran: list[str] = []
    in_turn(second, lambda trial: ran.append(trial.id))
    return second, ran


def test_what_another_sweep_trained_is_reused_and_said_so(tmp_path: Path) -> None:
    first = settled_elsewhere(tmp_path)
    second, ran = reusing(tmp_path)
    assert ran == []
    assert second.finished
    for kind in ("winner", "settled"):
        assert told(tmp_path / "second", kind) == told(first, kind)
    for event in told(tmp_path / "second", "finished"):
        assert event["cause"] == f"reused from first/trials/{event['trial']}"
        here, there = (folder / "trials" / event["trial"] for folder in (tmp_path / "second", first))
        assert (here / "results.json").read_text() == (there / "results.json").read_text()


def test_what_other_code_trained_is_not(tmp_path: Path) -> None:
    first = settled_elsewhere(tmp_path)
    for results in first.glob("trials/*/results.json"):
        assert read_json(results)["code"] == code_version()
        save_json(results, read_json(results) | {"code": "older"})
    assert len(reusing(tmp_path)[1]) == 4


def test_appending_to_a_reused_folder_leaves_the_other_sweep_alone(tmp_path: Path) -> None:
    first = settled_elsewhere(tmp_path)
    before = {file: file.read_bytes() for file in first.rglob("*") if file.is_file()}
    reusing(tmp_path)
    for file in (tmp_path / "second" / "trials").rglob("*.jsonl"):
        append_line(file, {"epoch": 99})
    assert {file: file.read_bytes() for file in before} == before


def test_a_budget_is_never_exceeded_by_more_than_a_trial_over_all_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1e9]
    for name in ("time", "monotonic"):
        monkeypatch.setattr(time, name, lambda: clock[0])

    def an_hour(trial: Trial) -> None:
        clock[0] += 3600

    def driver(work: Any, stopping: Any) -> bool:
        in_turn(work, an_hour)
        return work.finished

    def begin(budget: str) -> Any:
        folder = tmp_path / "runs" / "mine"
        return tune(settings(budget=budget), folder, tmp_path / "runs", Callback(), driver, "tune", False)

    for _ in range(2):
        with pytest.raises(UserError, match=r"budget=2h is used up \(2.00 taken\); .*; the best so far is "):
            begin("2h")
    folder = tmp_path / "runs" / "mine"
    assert len(told(folder, "finished")) == 2
    with pytest.raises(UserError, match=r"budget=4h is used up .* the search is finished, its finals are not"):
        begin("4h")
    begin("9h")
    assert len(told(folder, "final")) == 1
    account = slot_hours(list(read_lines(folder / "journal.jsonl")), lambda trial, before: 0.0)
    assert account.busy == pytest.approx(5.0, abs=0.01)
    assert account.idle == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("text", ["20", "gpuh", "0h", "-1h", "20gb"])
def test_a_budget_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="budget=20gpuh, 8cpuh, 3h and 20gpuh-billed are"):
        read_budget(text, 1, 1)


def test_a_budget_counts_what_a_trial_takes_of_a_gpu() -> None:
    assert read_budget("20gpuh", cpus=4, gpus=0.25).per_hour == 0.25
    assert read_budget("20cpuh", cpus=4, gpus=0.25).per_hour == 4
    with pytest.raises(ConfigurationError, match="trials use no GPU here; budget=20cpuh works"):
        read_budget("20gpuh", 1, 0)
    assert Budget().used_up is None


def test_the_ledger_accounts_for_every_slot_hour() -> None:
    """Two slots for 10 hours; b was killed after 2 of its 4 hours, of which the epochs of 1 hour were kept."""
    hour = 3600.0

    def event(kind: str, at: float, **fields: Any) -> dict[str, Any]:
        return {"event": kind, "time": at * hour, **fields}

    def over(trial: str, at: float, outcome: str, hours: float) -> dict[str, Any]:
        return event("finished", at, trial=trial, state=outcome, score=1.0, epoch=1, seconds=hours * hour)

    events = [
        event("session", 0, slots=2),
        event("started", 0, trial="a", params={}),
        event("started", 0, trial="b", params={}),
        over("a", 3, "complete", 3),
        event("started", 3, trial="c", params={"seed": 1}),
        event("session", 10, slots=2),
        event("resumed", 10, trial="b"),
        event("resumed", 10, trial="c"),
        over("b", 13, "complete", 4),
        over("c", 12, "complete", 3),
        event("started", 13, trial="d", params={}),
        over("d", 14, "pruned", 1),
        event("started", 14, trial="e", params={}),
        over("e", 15, "failed", 0.5),
    ]
    events += [event("started", 15, trial="f", params={}), over("f", 17, "complete", 1)]
    account = slot_hours(events, lambda trial, before: {"b": 2 * hour, "c": 4 * hour}[trial])
    assert account == SlotHours(useful=8, pruned=1, repeated=3, overhead=1, lost=13 - 11, idle=22 - 15)


def test_what_rounding_leaves_of_a_sweep_without_failures_is_not_lost() -> None:
    """Twenty sweeps of three trials of odd lengths; of some the sums differ in their last bit."""
    for seed in range(20):
        draws, now = random.Random(seed), 1.7643e9
        events: list[dict[str, Any]] = [{"event": "session", "time": now, "slots": 2}]
        for trial in ("a", "b", "c"):
            seconds = round(draws.uniform(5, 90), 6)
            events.append({"event": "started", "time": now, "trial": trial, "params": {}})
            now += round(seconds + draws.uniform(1, 9), 6)
            events.append({"event": "finished", "time": now, "trial": trial, "state": "complete", "seconds": seconds})
        assert slot_hours(events, lambda trial, before: 0.0).lost == 0, seed


def test_a_full_disk_is_said_at_once_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **named: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UserError, match="No space left on device"), owned(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_billed_budget_counts_every_slot_by_the_clock() -> None:
    budget = read_budget("2gpuh-billed", cpus=1, gpus=0.5, slots=4)
    budget.begin("a")
    budget.end("a")
    assert budget.used_before == 0
    budget.since -= 1800
    assert budget.taken == pytest.approx(0.5 * 4 * 0.5, rel=1e-3)
    assert budget.used_up is None
    budget.since -= 1900
    assert budget.used_up is not None
