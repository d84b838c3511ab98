"""vmsbench from Python: the same results as the commands, as objects, and nothing heavy before it is used."""

import importlib
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import vmsbench
import vmsbench.api
from tests.support.documents import blocks
from tests.support.sweep_maker import make_sweep
from vmsbench.api.demonstration import DemoSearch, demo_scores
from vmsbench.api.sweep_results import SweepResult
from vmsbench.api.training import TrainingResult
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.files import append_line, save_json

ROOT = Path(vmsbench.__file__).parents[1]
SMALL = ["data=standin", "data.count=40", "data.size=32", "preset=quick", "tracker=none"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    return vmsbench.train("unet", *SMALL, epochs=1, runs=tmp_path_factory.mktemp("api") / "runs")


def test_importing_vmsbench_loads_nothing_heavy_and_knows_its_names() -> None:
    program = "import sys, vmsbench; dir(vmsbench); print(sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    for library in ("torch", "numpy", "ray", "hydra", "typer"):
        assert f"'{library}'" not in done.stdout
    assert set(vmsbench.__all__) <= set(dir(vmsbench))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = vmsbench.trian


def test_every_name_is_a_function_also_once_a_package_of_that_name_is_imported() -> None:
    """`vmsbench.report` is a package as well: importing it must not hide the function."""
    for name in vmsbench.__all__:
        assert callable(getattr(vmsbench, name)), name
    importlib.import_module("vmsbench.report.write")
    assert not isinstance(vmsbench.report, types.ModuleType)
    assert vmsbench.__all__ == sorted(vmsbench.__all__) == vmsbench.api.__all__


def test_the_state_of_sweeps_is_that_of_their_folders_and_jobs(tmp_path: Path) -> None:
    make_sweep(tmp_path, "gan", seeds=1)
    (tmp_path / "waiting").mkdir()
    append_line(tmp_path / "waiting" / "jobs.jsonl", {"event": "submitted", "time": 1.0, "job": "7"})
    gan, waiting = vmsbench.status(runs=tmp_path)
    assert (gan.name, gan.state, gan.alive, gan.jobs) == ("gan", "finished", False, ())
    assert (waiting.state, waiting.status, [job.job for job in waiting.jobs]) == ("not started", None, ["7"])
    assert vmsbench.status("gan", runs=tmp_path) == gan
    assert vmsbench.why("100000000004", runs=tmp_path).cause == "Diverged: the loss_D is 100% nan"
    with pytest.raises(UserError, match="did you mean gan"):
        vmsbench.status("gann", runs=tmp_path)


def test_the_logs_of_jobs_are_files_and_a_sweep_without_jobs_is_named(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, "gan", seeds=1)
    with pytest.raises(UserError, match="no jobs of a sweep gan"):
        vmsbench.logs("gan", runs=tmp_path)
    append_line(sweep / "jobs.jsonl", {"event": "began", "time": 1.0, "job": "7", "log": str(tmp_path / "7.log")})
    with pytest.raises(UserError, match=r"gan has written nothing yet: .*7"):
        vmsbench.logs("gan", runs=tmp_path)
    (tmp_path / "7.log").write_text("epoch 1")
    assert vmsbench.logs("gan", runs=tmp_path) == {"7": tmp_path / "7.log"}
    with pytest.raises(UserError, match="no jobs of a sweep unet"):
        vmsbench.cancel("unet", runs=tmp_path)


def test_an_installation_is_examined_finding_by_finding(tmp_path: Path) -> None:
    first = next(vmsbench.doctor(runs=tmp_path / "runs"))
    assert (first.name, first.state, sys.executable in first.said) == ("Python", "ok", True)


def test_a_group_that_cannot_be_ablated_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="tracker is not part of the training"):
        vmsbench.ablate("tracker", "unet", *SMALL, runs=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "vmsbench" / "py.typed").is_file()


def test_a_training_has_scores_history_and_a_folder_and_is_not_trained_twice(trained: TrainingResult) -> None:
    assert 0 < trained.scores["l1"] < 2
    assert [line["epoch"] for line in trained.history] == [1]
    again = vmsbench.train("unet", *SMALL, epochs=1, runs=trained.folder.parents[1])
    assert (again.folder, again.results) == (trained.folder, trained.results)
    assert set(trained.baselines()["pixel_median"]) >= {"l1", "crps"}


def test_a_model_predicts_pictures_of_every_kind_alike(trained: TrainingResult, tmp_path: Path) -> None:
    model = vmsbench.load(trained.folder, device="cpu")
    pixels = np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    one = model.predict(image)
    assert one.array.shape == (2, 48, 80)
    assert 0 <= one.array.min() <= one.array.max() <= 1
    assert one.image.size == (80, 48)
    assert one._repr_png_().startswith(b"\x89PNG")
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    for other in (pixels, tensor):
        assert np.array_equal(model.predict(other).array, one.array)
    for several in ([image, pixels, tensor], pixels[None].repeat(3, 0), tensor[None].repeat(3, 1, 1, 1)):
        assert [m.array.shape for m in model.predict(several)] == [(2, 48, 80)] * 3
    (tmp_path / "photos").mkdir()
    image.save(tmp_path / "photos" / "a.png")
    assert model.predict(tmp_path / "photos" / "a.png").name == "a.png"
    assert [m.name for m in model.predict(str(tmp_path / "photos"))] == ["a.png"]
    with pytest.raises(UserError, match="float64"):
        model.predict(pixels / 255)
    with pytest.raises(UserError, match="does not exist"):
        model.predict(tmp_path / "b.png")


def test_a_sweep_is_refused_a_name_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a/b"):
        vmsbench.tune("unet", *SMALL, name="a/b", runs=tmp_path)
    with pytest.raises(UserError, match="no sweep nothing"):
        vmsbench.load("nothing", runs=tmp_path)


def test_an_interrupted_sweep_says_which_command_continues_it(tmp_path: Path) -> None:
    save_json(tmp_path / "sweep.json", {"config": {"metric": "crps"}})
    append_line(tmp_path / "journal.jsonl", {"event": "session", "time": 0.0, "slots": 1})
    stopped = SweepResult(tmp_path, False, "vmsbench resume it")
    assert stopped.summary() == {"name": tmp_path.name, "command": "vmsbench resume it", "state": "interrupted"}


def test_the_pages_python_runs(tmp_path: Path) -> None:
    program = "\n".join(blocks("how-to/python.md", "python"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_training_shows_its_epochs_and_an_interrupt_lets_it_save_and_the_same_call_continues(tmp_path: Path) -> None:
    """The interrupt is that of a notebook's stop button."""
    program = f"""
import os, signal
import vmsbench
def interrupt(record):
    if record["epoch"] == 2:
        os.kill(os.getpid(), signal.SIGINT)
settings = ["unet", *{SMALL!r}, "model.network.width=8"]
first = vmsbench.train(*settings, epochs=3, on_epoch=interrupt)
assert not first.finished and not first.scores and [line["epoch"] for line in first.history] == [1, 2], first
print("AGAIN", flush=True)
second = vmsbench.train(*settings, epochs=3, quiet=True)
assert second.finished and len(second.history) == 3 and second.folder == first.folder, second
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("as before")
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shown, again = done.stdout.split("AGAIN\n")
    assert [line.split()[2] for line in shown.splitlines() if " epoch " in line] == ["1/3", "2/3"]
    assert again == "as before\n"


@pytest.mark.slow
def test_a_sweep_that_a_notebook_interrupts_is_returned_unfinished_and_can_be_continued(tmp_path: Path) -> None:
    """In a process with a get_ipython, as a kernel has it; the interrupt is that of the stop button."""
    program = f"""
import builtins, os, signal
builtins.get_ipython = lambda: None
import vmsbench
from vmsbench.sweep.trial import Callback
class Stop(Callback):
    def on_trial_end(self, trial, outcome):
        os.kill(os.getpid(), signal.SIGINT)
options = dict(epochs=1, cpus=1)
overrides = {[*SMALL, "model.network.width=8"]!r}
first = vmsbench.tune("unet", *overrides, callbacks=[Stop()], **options)
assert not first.finished and first.status().state == "interrupted", first
assert len(first.trials) >= 1 and not first.best
class Count(Callback):
    seen = 0
    def on_trial_end(self, trial, outcome):
        Count.seen += 1
        if Count.seen == 2:
            os.kill(os.getpid(), signal.SIGINT)
second = vmsbench.resume("unet", callbacks=[Count()], quiet=True, cpus=1)
assert len(second.trials) >= 2, second.trials
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "complete" in done.stdout


@pytest.mark.slow
@pytest.mark.nightly
def test_in_the_demonstration_every_family_beats_what_never_looks_and_none_what_knows_all(tmp_path: Path) -> None:
    assert vmsbench.demo(runs=tmp_path / "runs", out=tmp_path / "report", quiet=True) is not None
    answers, distributions = demo_scores(tmp_path / "runs").values()
    assert next(iter(answers)) == "oracle_median"
    assert next(iter(distributions)) == "oracle_law"
    for name in ("unet", "gan", "diffusion, median of 16"):
        assert answers[name] < answers["pixel_median"]
    for name in ("unet, dressed", "gan, dressed", "diffusion, dressed", "diffusion, 16 samples"):
        assert distributions[name] < min(distributions["climatology"], distributions["random_train"])


def test_the_demonstration_compares_its_sweeps_and_stops_where_one_was_interrupted(tmp_path: Path) -> None:
    ran = []

    def search(one: DemoSearch) -> SweepResult:
        ran.append(one.exp)
        make_sweep(one.folder.parent, one.exp, seeds=1)
        return SweepResult(one.folder, "stop" not in ran, one.command)

    page = vmsbench.demo(runs=tmp_path / "runs", out=tmp_path / "report", search=search)
    assert page is not None
    assert page.page.is_file()
    assert ran == ["unet", "gan", "diffusion"]
    answers, distributions = demo_scores(tmp_path / "runs").values()
    for scores in (answers, distributions):
        assert list(scores.values()) == sorted(scores.values())
    assert answers["pixel_median"] > answers["oracle_median"]
    assert "climatology" in distributions
    interrupted = [*ran, "stop"]
    ran[:] = interrupted
    assert vmsbench.demo(runs=tmp_path / "again", search=search) is None
    assert ran == [*interrupted, "unet"]
    assert not (tmp_path / "again" / "gan").exists()
