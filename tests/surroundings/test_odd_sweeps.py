"""A whole sweep on each odd input, its log and its report: what is odd is said in all of them; a report of data that
are broken since still comes."""

import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from re import sub

import pytest

from tests.support.command_line import called
from tests.support.data.data_folders import write_pairs
from tests.support.data.odd_folders import FURTHER, PAIRS, REFUSED, USABLE, overrides
from tests.support.nightly import few_by_day
from tests.support.sweeps.in_process import driver
from vmsbench.config.compose import compose
from vmsbench.files import read_json
from vmsbench.sweep.trial import Callback
from vmsbench.sweep.tune import tune


def swept(root: Path, runs: Path, *overrides: str) -> Path:
    """The folder of a sweep of one trial and one final on the data of `root`, run in this process."""
    settings = compose(
        "unet",
        ["preset=quick", "data=folder", f"data.root={root}", "data.size=32", "tracker=none", "trainer.epochs=1",
         "trainer.batch_size=4", "model.network.width=4", "device=cpu", "finals.top=1", "finals.seeds=1",
         "space.parameters=[{param: model.network.width, values: [4]}]", *overrides],
    )  # fmt: skip
    tune(settings, runs / "unet", runs, Callback(), driver, "vmsbench tune", False)
    return runs / "unet"


def shown(page: Path) -> str:
    """The words of a page."""
    return " ".join(unescape(sub(r"<[^>]*>", " ", page.read_text())).split())


@pytest.mark.slow
@pytest.mark.parametrize("name", few_by_day(USABLE, "as it should be", "maps in blue", "links"))
def test_a_sweep_and_its_report_say_what_is_odd(name: str, tmp_path: Path) -> None:
    make, said = USABLE[name]
    root, runs = tmp_path / "data", tmp_path / "runs"
    write_pairs(root, PAIRS)
    make(root)
    given = overrides(root)
    folder = swept(root, runs, *given)
    logs = [*folder.glob("trials/*/log.txt"), *folder.glob("final/*/log.txt")]
    assert len(logs) == 2
    assert all(said in " ".join(log.read_text().split()) for log in logs)
    end = called("report", "unet", "--runs", runs, "--out", tmp_path / "report", "--formats", "")
    assert end.code == 0, end
    words = shown(tmp_path / "report" / "index.html")
    assert said in words
    assert "14 pictures" in words
    assert len(read_json(folder / "provenance.json")["table"]) == 3 + len(given) + ("half_a" in str(given))
    assert said in " ".join((tmp_path / "report" / "report.md").read_text().replace("\\", "").split())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data` and `runs`, of a sweep that is over."""
    place = tmp_path_factory.mktemp("finished")
    write_pairs(place / "data", PAIRS)
    (place / "data" / "test.csv").write_text("pic01.png\npic02.png\n")
    swept(place / "data", place / "runs", "data.test=test.csv")
    return place


@pytest.fixture
def restored(finished: Path, tmp_path: Path) -> Iterator[Path]:
    """The same; what a test does to the data is undone."""
    shutil.copytree(finished / "data", tmp_path / "kept")
    yield finished
    shutil.rmtree(finished / "data")
    shutil.copytree(tmp_path / "kept", finished / "data")


@pytest.mark.slow
@pytest.mark.parametrize("name", few_by_day([name for name in REFUSED if name not in FURTHER], "cut short", "no maps"))
def test_a_report_of_data_that_are_broken_since_still_comes(name: str, restored: Path, tmp_path: Path) -> None:
    make, said = REFUSED[name]
    make(restored / "data")
    end = called("report", "unet", "--runs", restored / "runs", "--out", tmp_path / "report", "--formats", "")
    assert (end.code, "Traceback" in end.text) == (0, False), end
    words = shown(tmp_path / "report" / "index.html")
    assert "test.csv, column 1: 2 names, 2 of them images" in words
    assert said in words
