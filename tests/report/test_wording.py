"""What is said where it applies, and not where it does not; and every word of the demo's table is explained."""

import json
from pathlib import Path

import pytest

from tests.support.sweep_maker import make_sweep, write
from vmsbench.cli.commands.sweeps.demo import table
from vmsbench.cli.summary import l1_words
from vmsbench.data.standin import standin
from vmsbench.report.analysis.sentences import about_samples, joined
from vmsbench.report.analysis.tracks import ANSWER, DISTRIBUTION
from vmsbench.report.document import compose
from vmsbench.report.render.markdown import to_report
from vmsbench.report.sections.scores.cost import cost_table
from vmsbench.store.reader import collect


def text_of(runs: Path) -> str:
    return to_report(compose(collect(runs, [])))


def test_a_family_alone_has_not_the_lowest_score_of_the_models(tmp_path: Path) -> None:
    make_sweep(tmp_path, "unet")
    alone = text_of(tmp_path)
    assert "As one answer, the L1 of UNet on " in alone
    assert "the lowest L1 of the models" not in alone
    assert "`vmsbench final unet --runs " in alone
    assert " adds it without training again" in alone
    make_sweep(tmp_path, "gan")
    both = text_of(tmp_path)
    assert "UNet has the lowest L1 of the models" in both
    assert " add it without training again" in both


def test_sentences_about_many_models_can_be_read(tmp_path: Path) -> None:
    """Of the study's thirteen sweeps each was listed in every sentence, and every pair of them in one."""
    for letter in "abcdef":
        make_sweep(tmp_path, "unet", name=letter)
    text = text_of(tmp_path)
    verdicts = text.partition("### Each model")[0]
    assert "UNet (a), UNet (b), UNet (c) and 3 others" in verdicts
    assert "No difference is shown between UNet (a) and UNet (b), UNet (c), UNet (d), UNet (e) and UNet (f)" in verdicts
    assert "; the table of differences has all pairs." in verdicts
    assert max(map(len, verdicts.splitlines())) < 600
    assert "UNet (e) and UNet (f) were tuned by L1, which serves the track as one answer." in text


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["UNet"], "UNet"),
        (["UNet, dressed", "GAN"], "UNet (dressed) and GAN"),
        (
            ["UNet, ensemble", "UNet (a), ensemble, dressed"],
            "the ensemble of UNet and the ensemble of UNet (a) (dressed)",
        ),
        ([*"abcde"], "a, b, c, d and e"),
        ([*"abcdef"], "a, b, c and 3 others"),
    ],
)
def test_names_in_a_sentence_have_no_commas_of_their_own(names: list[str], said: str) -> None:
    assert joined(names) == said


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["GAN"], "GAN's samples are worse than its own one answer: errors it makes"),
        (["GAN, ensemble"], "the samples of the ensemble of GAN are worse than its own one answer: errors it makes"),
        (["GAN", "UNet"], "the samples of GAN and UNet are worse than their own one answers: errors they make"),
    ],
)
def test_the_same_of_several_samplers_is_one_sentence(names: list[str], said: str) -> None:
    assert about_samples("{} are worse than {} own one answer{}: errors {they}", names) == said


@pytest.mark.parametrize(("times", "said"), [(1.0, False), (1.1, False), (1.6, True)])
def test_costs_are_called_not_comparable_where_it_matters(tmp_path: Path, times: float, said: bool) -> None:
    for exp, parameters in (("unet", 1000), ("gan", round(1000 * times))):
        for file in (make_sweep(tmp_path, exp) / "final").glob("*/results.json"):
            write(file, json.loads(file.read_text()) | {"parameters": parameters, "images_seen": 100})
    notes = cost_table(collect(tmp_path, []).groups[0]).notes
    assert any("parameters differ between the models by up to 1.60 times" in note for note in notes) is said
    assert any("Not comparable" in note for note in notes) is said


def test_bold_is_explained_where_something_is_bold(study: tuple[Path, Path], tmp_path: Path) -> None:
    make_sweep(tmp_path, "unet")
    alone = text_of(tmp_path)
    assert "Bold: better than every other model" not in alone
    assert "Bold: better than every other model" in (study[1] / "report.md").read_text()


def test_the_l1_of_a_sampler_is_named_by_what_it_is_of() -> None:
    scores = {"l1": 0.1242, "l1_median": 0.1098}
    assert l1_words(scores, 16) == [
        "L1 0.1098 in [-1,1], 0.0549 in [0,1]",
        "L1 is of the median of 16 samples; of one sample it is 0.1242, 0.0621 in [0,1]",
    ]
    assert l1_words({"l1": 0.1}, 1) == ["L1 0.1000 in [-1,1], 0.0500 in [0,1]"]


def test_the_table_of_the_demo_has_plain_words_and_explains_the_others() -> None:
    found = {ANSWER: {"oracle_median": 0.08, "unet": 0.09}, DISTRIBUTION: {"unet, dressed": 0.06, "random_train": 0.1}}
    text = "\n".join(table(found))
    assert "oracle median" in text
    assert "random training maps" in text
    assert "_" not in text
    for word in ("dressed:", "oracle:", "climatology:", "random training maps:"):
        assert word in text


def test_synthetic_data_are_called_so(tmp_path: Path) -> None:
    assert standin(tmp_path / "data", count=12, size=16).title == "synthetic data, 16 px"
