"""Models that have seen other pictures through an encoder stand apart from those that have not, in every table."""

from pathlib import Path

import pytest

from tests.support.sweep_maker import FAULTS, make_sweep, write
from vmsbench.files import read_json
from vmsbench.report.analysis.ranking import bold, rank
from vmsbench.report.analysis.sentences import judge
from vmsbench.report.analysis.tracks import ANSWER, entries
from vmsbench.report.blocks import TableBlock
from vmsbench.report.document import compose
from vmsbench.store.reader import collect
from vmsbench.store.records import SweepGroup

NOTE = "Seen other pictures too, through an encoder: UNet."


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> SweepGroup:
    """Three families, of which the UNet has an encoder."""
    runs = tmp_path_factory.mktemp("apart")
    for exp in FAULTS:
        make_sweep(runs, exp)
    for file in (runs / "unet" / "final").glob("*/results.json"):
        write(file, read_json(file) | {"info": {"encoder": "EfficientNet-Lite2 at 256 px"}})
    return collect(runs, []).groups[0]


def test_they_have_a_part_of_the_table_of_their_own_and_every_table_says_which_they_are(group: SweepGroup) -> None:
    tables = {b.table.name: b.table for b in compose(collect(group.sweeps[0].folder.parent, [])).blocks
              if isinstance(b, TableBlock)}  # fmt: skip
    parts = {part.title: {str(row[0].value) for row in part.rows} for part in tables["answers"].parts}
    assert parts["Models of these pictures alone"] == {"GAN", "Diffusion"}
    assert parts["Models that have seen other pictures too, through an encoder"] == {"UNet"}
    parts = {part.title: {str(row[0].value) for row in part.rows} for part in tables["distributions"].parts}
    assert parts["Models that have seen other pictures too, through an encoder"] == {"UNet, dressed"}
    for table in tables.values():
        named = {str(row[0].value) for part in table.parts for row in part.rows if row}
        named |= {column.heading for column in table.columns}
        about = any("UNet" in name or name == "unet" for name in named) or table.name.endswith("-unet")
        assert (NOTE in table.notes) == about, table.name
    assert sum(NOTE in table.notes for table in tables.values()) >= 5


def test_the_verdict_names_the_best_of_each_kind(group: SweepGroup) -> None:
    rankings = rank(group)
    sentences = judge(group, rankings).sentences["As one answer"]
    assert sentences[0].startswith("As one answer, UNet has the lowest L1 of the models")
    alone = next(iter(label for label in rankings.answer.standings if label != "UNet"))
    lowest = f"UNet has seen other pictures too, through an encoder; of the other models {alone} has the lowest L1, "
    assert sentences[1].startswith(lowest)


def test_each_kind_has_a_best_of_its_own(group: SweepGroup) -> None:
    models = entries(ANSWER, group.models)
    standings = rank(group).answer.standings
    best = {kind: {label for label, _ in bold(ANSWER, models, standings, kind)} for kind in ((), ("GAN",))}
    assert best[()] == {"UNet"}
    assert "UNet" in best[("GAN",)]
    assert "GAN" not in best[("GAN",)]  # alone of its kind, there is nothing that it is better than


def test_a_sweep_with_an_encoder_is_apart_before_it_has_finals(tmp_path: Path) -> None:
    for exp in ("unet", "gan"):
        make_sweep(tmp_path, exp)
    file = tmp_path / "unet" / "sweep.json"
    about = read_json(file)
    for target, seen in (("vmsbench.networks.efficientnet.EfficientNetLite", {"UNet"}), ("a.NoEncoder", set[str]())):
        about["config"]["model"]["sight"] = {"encoder": {"_target_": target}}
        write(file, about)
        for result in (tmp_path / "unet" / "final").glob("*/results.json"):
            result.unlink()
        assert collect(tmp_path, []).groups[0].encoded == seen


def test_without_an_encoder_nothing_is_said(tmp_path: Path) -> None:
    make_sweep(tmp_path, "gan")
    group = collect(tmp_path, []).groups[0]
    assert group.encoded == frozenset()
    assert not any(
        "through an encoder" in sentence for sentence in judge(group, rank(group)).sentences["As one answer"]
    )
