"""A family of models is an experiment of conf/: its name, colour and order come from there alone."""

from pathlib import Path

import pytest

from tests.support.sweep_maker import FAULTS, make_sweep
from vmsbench.config import compose
from vmsbench.config.families import families, family_of
from vmsbench.errors import ConfigurationError
from vmsbench.report.document import compose as document_of
from vmsbench.report.render.markdown import to_report
from vmsbench.report.render.style import colors
from vmsbench.store.reader import collect


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own next to conf/, in which a new family's files can be put."""
    folder = tmp_path / "conf"
    for group in ("exp", "space"):
        (folder / group).mkdir(parents=True)
    monkeypatch.setenv("VMSBENCH_CONF", str(folder))
    return folder


def test_the_families_of_conf_come_in_their_order_with_a_name_and_a_colour() -> None:
    assert [family.name for family in families().values()] == ["UNet", "GAN", "Diffusion", "Engression"]
    assert len({family.color for family in families().values()}) == 4
    assert "family" not in compose.compose("unet", [])


def test_a_new_family_is_in_the_report_by_its_name_its_colour_and_its_rows(
    conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (conf / "space" / "flow.yaml").write_text("parameters: [{param: model.network.width, values: [16, 32]}]\n")
    (conf / "exp" / "flow.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /space: flow\n\nexp: flow\n"
        "family: {name: Flow matching, color: '#112233', order: 2}\n"
    )
    monkeypatch.setitem(FAULTS, "flow", 0.8)
    runs = tmp_path / "runs"
    for exp in ("diffusion", "flow", "unet"):
        make_sweep(runs, exp)
    assert compose.compose("flow", [])["exp"] == "flow"
    study = collect(runs, [])
    assert [sweep.family for sweep in study.sweeps] == ["UNet", "Flow matching", "Diffusion"]
    assert colors(study.sweeps)["flow"] == "#112233"
    text = to_report(document_of(study))
    assert "Report: UNet, Flow matching and Diffusion" in text
    assert "| Flow matching |" in text
    assert "Flow matching" in text.split("Cost of the final trainings")[1].split("##")[0]
    assert "No GAN on these data" in text


def test_a_family_without_a_conf_file_is_called_by_its_experiment_and_gets_a_colour_of_its_own(tmp_path: Path) -> None:
    assert family_of("elsewhere").name == "elsewhere"


def test_a_wrong_entry_of_a_family_is_refused_with_what_it_may_have(conf: Path) -> None:
    (conf / "exp" / "flow.yaml").write_text("exp: flow\nfamily: {nam: Flow}\n")
    with pytest.raises(ConfigurationError, match=r"flow\.yaml: family has name, nam; it may have: exp, name, color"):
        families()
