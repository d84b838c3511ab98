"""The report, made of small folders exactly as sweeps leave them."""

import csv
import json
import re
from html.parser import HTMLParser
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.sweep_maker import FAULTS, make_sweep, sgd, tiny, write
from vmsbench.config.format import describe
from vmsbench.errors import UserError
from vmsbench.report import labels
from vmsbench.report.analysis.ranking import rank
from vmsbench.report.analysis.sentences import judge
from vmsbench.report.document import compose
from vmsbench.report.render import style
from vmsbench.report.render.markdown import to_report
from vmsbench.report.render.tables import Cell, Column, Part, Table, to_csv, to_latex, to_markdown
from vmsbench.report.sections.fid import distance_table, in_encoder
from vmsbench.report.write import report
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.reader import collect
from vmsbench.store.records import SweepGroup

torch.set_num_threads(1)


def text_of(runs: Path) -> str:
    """report.md of every sweep there is, without drawing a figure."""
    return to_report(compose(collect(runs, [])))


def rows(out: Path, table: str) -> dict[str, dict[str, str]]:
    with (out / "tables" / f"{table}.csv").open(newline="") as file:
        return {row[next(key for key in row if key != "part")]: row for row in csv.DictReader(file)}


class Page(HTMLParser):
    """Collects what a test asks of a page; refuses tags that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_scores_in_the_table_are_those_in_the_folders(study: tuple[Path, Path]) -> None:
    runs, out = study
    for label, exp in (("UNet", "unet"), ("GAN", "gan"), ("Diffusion", "diffusion")):
        row = rows(out, "answers")[label]
        found = [json.loads(path.read_text())["test_scores"] for path in (runs / exp / "final").glob("*/results.json")]
        assert row["seeds"] == "2"
        for key in ("l1", "l1_unit", "mse", "mse_unit", "cc_true", "cc_false", "cc_combined"):
            assert float(row[key]) == pytest.approx(np.mean([scores[key] for scores in found]))
        assert float(row["l1_spread"]) == pytest.approx(np.std([scores["l1"] for scores in found], ddof=1))


def test_baselines_and_oracle_stand_in_the_same_table_and_skill_is_against_the_pixel_median(study) -> None:
    runs, out = study
    table, baselines = rows(out, "answers"), json.loads((runs / "gan" / "baselines.json").read_text())["test"]
    assert {"Black", "Pixel mean", "Pixel median", "Oracle median"} <= set(table)
    assert float(table["Black"]["l1"]) == baselines["black"]["l1"]
    assert float(table["Pixel median"]["skill"]) == 0
    for row in table.values():
        assert float(row["skill"]) == pytest.approx(100 * (1 - float(row["l1"]) / baselines["pixel_median"]["l1"]))


def test_the_two_tracks_have_tables_verdicts_and_blind_rows_of_their_own(study) -> None:
    runs, out = study
    answers, laws = rows(out, "answers"), rows(out, "distributions")
    baselines = json.loads((runs / "gan" / "baselines.json").read_text())["test"]
    assert {"Pixel median", "Pixel mean", "Black"} <= set(answers)
    assert "Climatology" not in answers
    assert {"Climatology", "Random training maps", "UNet, dressed"} <= set(laws)
    assert not {"Pixel median", "UNet", "Black"} & set(laws), "a single answer is no distribution"
    for row in laws.values():
        blind = baselines["climatology"]["crps"]
        assert float(row["skill"]) == pytest.approx(100 * (1 - float(row["crps"]) / blind))
    text = (out / "report.md").read_text()
    assert "Skill to pixel median (L1), % ↑" in text
    assert "Skill to climatology (CRPS), % ↑" in text
    for line in text.splitlines():
        assert not re.search(r"CRPS.* pixel median,|L1 .*climatology", line) or line.startswith("- **"), line


def test_every_table_with_a_score_has_it_in_both_scales(study) -> None:
    _, out = study
    scored = [
        path for path in (out / "tables").glob("*.csv") if "l1" in path.read_text() or "score" in path.read_text()
    ]
    assert len(scored) >= 5
    for path in scored:
        head = path.read_text().splitlines()[0].split(",")
        for key in head:
            if re.fullmatch(r"(.* )?(l1|mse|crps|score)", key):
                assert f"{key}_unit" in head, path
    for name in ("answers", "distributions", "trials-unet"):
        text = (out / "tables" / f"{name}.tex").read_text()
        assert "[$-$1, 1]" in text
        assert "[0, 1]" in text


def test_every_score_table_says_whether_its_images_chose_or_report(study) -> None:
    _, out = study
    text = (out / "report.md").read_text()
    assert "Test scores as one answer: 20 images that were not used for selection" in text
    assert "the test images select nothing" in text
    assert text.count("scores on the tuning validation set, which selects; they are not results") == 3


def test_the_verdict_says_which_families_are_no_better_than_a_constant_map(study) -> None:
    _, out = study
    text = (out / "report.md").read_text()
    assert "As one answer, UNet has the lowest L1 of the models" in text
    assert "Better than a constant map: UNet and Diffusion; not shown to be better than a constant map: GAN." in text


def group_of(runs: Path) -> SweepGroup:
    return collect(runs, []).groups[0]


def test_skill_has_its_interval_and_the_difference_of_each_two_families_its_corrected_p(study) -> None:
    _, out = study
    row = rows(out, "answers")["UNet"]
    assert float(row["skill_low"]) < float(row["skill"]) < float(row["skill_high"])
    assert (row["verdict"], rows(out, "answers")["GAN"]["verdict"]) == ("ok", "no skill shown")
    found = rows(out, "differences-answers")
    blind = {f"{name} − Pixel median" for name in ("UNet", "GAN", "Diffusion")}
    assert set(found) == {"UNet − GAN", "UNet − Diffusion", "Diffusion − GAN"} | blind
    unet, gan = (float(rows(out, "answers")[name]["l1"]) for name in ("UNet", "GAN"))
    assert float(found["UNet − GAN"]["difference"]) == pytest.approx(unet - gan)
    assert found["UNet − GAN"]["verdict"] == "UNet is better"
    assert float(found["UNet − GAN"]["p"]) < 0.001


def test_between_models_that_are_the_same_but_for_their_seeds_no_difference_is_shown_and_nothing_is_bold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAULTS, "gan", FAULTS["unet"])
    monkeypatch.setitem(FAULTS, "diffusion", FAULTS["unet"])
    for exp in FAULTS:
        make_sweep(tmp_path / "runs", exp, seeds=3)
    group = group_of(tmp_path / "runs")
    rankings = rank(group)
    assert {one.verdict for both in rankings.both for one in both.comparisons} == {"no difference shown"}
    assert not any(one.bold for one in rankings.both)
    said = judge(group, rankings).sentences["As one answer"][2]
    assert re.fullmatch(r"No difference shown between \w+ and \w+, nor between \w+ and \w+, nor between .*", said)
    assert "| **" not in text_of(tmp_path / "runs")


def test_what_is_bold_is_better_than_the_next_and_than_a_constant_map(study, tmp_path: Path) -> None:
    runs, out = study
    rankings = rank(group_of(runs))
    assert rankings.answer.bold == {("UNet", key) for key in ("l1", "l1_unit", "mse", "mse_unit")}
    assert rankings.distribution.bold == {("UNet, dressed", key) for key in ("crps", "crps_unit")}
    assert "<strong>0.0" in (out / "index.html").read_text()
    assert r"\textbf{0.0" in (out / "tables" / "answers.tex").read_text()
    for path in [*make_sweep(tmp_path / "runs", "unet").glob("final/*/scores.csv"),
                 *make_sweep(tmp_path / "runs", "gan").glob("final/*/scores.csv")]:  # fmt: skip
        lines = list(csv.DictReader(path.open(newline="")))
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, list(lines[0]))
            table.writeheader()
            table.writerows(line | {"pixel_median_l1": line["l1"]} for line in lines)
    answer = rank(group_of(tmp_path / "runs")).answer
    assert answer.standings["UNet"].word == "no skill shown"
    assert not answer.bold


def test_overfit_and_underfit_are_told_by_the_errors_on_training_images(tmp_path: Path) -> None:
    for name, learnt in (("heart", 0.01), ("poor", 0.5)):
        for path in make_sweep(tmp_path / name, "unet").glob("final/*/results.json"):
            results = json.loads(path.read_text())
            write(path, results | {"train_scores": {"l1": learnt}, "validation_scores": {"l1": 0.08}})
    words = [rank(group_of(tmp_path / name)).answer.standings["UNet"].word for name in ("heart", "poor")]
    assert words == ["overfit", "underfit"]


def test_one_family_without_scores_per_image_is_not_judged_and_says_so(tmp_path: Path) -> None:
    for path in make_sweep(tmp_path / "runs", "unet", seeds=1).glob("final/*/scores.csv"):
        path.unlink()
    group = group_of(tmp_path / "runs")
    rankings = rank(group)
    verdicts = judge(group, rankings)
    assert rankings.answer.standings["UNet"].word == ""
    said = verdicts.sentences["As one answer"]
    assert said[1] == "Whether any model beats a constant map cannot be said without scores per image."
    assert "scores per image are missing" in verdicts.families["UNet"]


def several(folder: Path) -> None:
    """The sweep's finals are of two configurations: the search's winner, and one that tunes better from fresh seeds."""
    with (folder / "journal.jsonl").open("a") as file:
        for at, path in enumerate(sorted((folder / "final").iterdir())):
            of, rank = [("000000000003", 1), ("000000000002", 2)][at % 2]
            results = json.loads((path / "results.json").read_text())
            write(path / "results.json", results | {"validation_scores": {"l1": 0.2 - 0.05 * rank}})
            event = {"event": "final", "trial": path.name, "seed": 1000 + at // 2, "of": of, "rank": rank}
            file.write(json.dumps(event | {"scores": results["test_scores"]}) + "\n")


def test_which_configuration_stands_for_a_family_is_chosen_by_tuning_scores_over_fresh_seeds(tmp_path: Path) -> None:
    several(make_sweep(tmp_path / "runs", "unet", seeds=4))
    sweep = group_of(tmp_path / "runs").sweeps[0]
    assert [len(finals) for finals in sweep.finalists.values()] == [2, 2]
    assert {final.rank for final in sweep.scored} == {2}
    for path in [final.folder / "results.json" for final in sweep.finals]:
        results = json.loads(path.read_text())
        write(
            path,
            results
            | {
                "test_scores": dict.fromkeys(results["test_scores"], 10.0)
                if results["validation_scores"]["l1"] < 0.12
                else results["test_scores"]
            },
        )
    assert {final.rank for final in group_of(tmp_path / "runs").sweeps[0].scored} == {2}, "the test scores chose"
    out = report(tmp_path / "runs", [], tmp_path / "out", formats=()).parent
    table = rows(out, "finals-unet")
    assert list(table) == ["rank 1", "rank 2 (stands for the family)", "Pixel median", "Climatology"]
    assert float(table["rank 1"]["score"]) == pytest.approx(0.15)
    assert rows(out, "final-differences-unet")["rank 1 − rank 2"]["verdict"] in (
        "no difference shown",
        "rank 1 is better",
    )


def test_every_image_is_in_a_table_and_each_model_shows_its_best_median_and_worst(study) -> None:
    runs, out = study
    table = rows(out, "images")
    assert len(table) == 20
    final = list(group_of(runs).sweeps[0].scored)
    assert float(table["sun_3_004.jpg"]["UNet l1"]) == pytest.approx(
        np.mean([f.per_image["sun_3_004.jpg"]["l1"] for f in final])
    )
    assert float(table["sun_3_004.jpg"]["Pixel median l1"]) == pytest.approx(
        final[0].per_image["sun_3_004.jpg"]["pixel_median_l1"]
    )
    assert "`tables/images.csv`" in (out / "report.md").read_text()
    for exp in FAULTS:
        assert (out / "plots" / f"samples-{exp}.png").exists()
    assert "Pixel median l1" in (out / "tables" / "categories-answer.csv").read_text()
    assert "Climatology crps" in (out / "tables" / "categories-distribution.csv").read_text()
    assert "Climatology crps" in (out / "tables" / "images.csv").read_text()


def test_the_page_parses_and_needs_nothing_from_outside(study) -> None:
    _, out = study
    text = (out / "index.html").read_text()
    page = Page(text)
    assert page.all("script") == [{}], "one script, inside the page"
    for _, attributes in page.tags:
        for key in ("src", "href", "xlink:href"):
            assert (attributes.get(key) or "#").startswith(("#", "data:")), attributes
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in text
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    for _, attributes in page.tags:
        if (attributes.get("xlink:href") or "").startswith("#"):
            assert (attributes["xlink:href"] or "")[1:] in identifiers


def test_the_page_can_be_heard(study) -> None:
    _, out = study
    page = Page((out / "index.html").read_text())
    assert all(image.get("alt") for image in page.all("img"))
    assert all(drawing.get("aria-label") for drawing in page.all("svg"))
    assert all(head.get("scope") for head in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(deeper - higher <= 1 for higher, deeper in pairwise(levels))


def test_every_figure_is_a_png_and_a_pdf(study) -> None:
    _, out = study
    stems = {"curves", "answers", "distributions", "samples-gan", "curves-unet", "savings", "calibration-unet"}
    stems |= {"categories-answer", "categories-distribution", "coordinate-search-gan", "coordinate-search-diffusion"}
    stems |= {f"{kind}-{exp}" for kind in ("parallel", "importance") for exp in FAULTS}
    assert stems <= {path.stem for path in (out / "plots").glob("*.png")}
    for path in (out / "plots").glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    for target in re.findall(r"\]\((plots/[^)]+)\)", (out / "report.md").read_text()):
        assert (out / target).exists()


def test_latex_escapes_underscores_and_percent_and_markdown_bars() -> None:
    columns = (Column("a", "a_b & 5%", text=True), Column("b", "x^2 ±"))
    row = (Cell("t_1", "t_1 #3|4"), Cell(1.5, "−1.5 ± 0.1"))
    table = Table("t", "Share of {x_y} in %", columns, (Part("50% $", (row,)),))
    text = to_latex(table)
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert r"a\_b \& 5\% & x\textasciicircum{}2 $\pm$ \\" in body
    assert r"t\_1 \#3$|$4 & $-$1.5 $\pm$ 0.1 \\" in body
    assert r"50\% \$" in body
    assert not re.search(r"(?<!\\)[%_#]", body)
    assert body.count("{") - body.count(r"\{") == body.count("}") - body.count(r"\}")
    assert r"t_1 #3\|4" in to_markdown(table)
    assert to_csv(table) == "part,a,b\n50% $,t_1,1.5\n"


def test_latex_tables_need_booktabs_alone_and_their_rows_are_of_one_width(study) -> None:
    _, out = study
    for path in (out / "tables").glob("*.tex"):
        text = path.read_text()
        wide = len(re.search(r"\{@\{\}([lr]+)@\{\}\}", text)[1])  # type: ignore[index]
        cells = [line for line in text.splitlines() if line.endswith(r" \\") and "multicolumn" not in line]
        assert all(len(re.findall(r"(?<!\\)&", line)) == wide - 1 for line in cells), path
        assert text.isascii(), path
        assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule"))


def test_missing_parts_are_named_with_the_command_that_fills_them(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs", "gan", seeds=0)
    (folder / "baselines.json").unlink()
    text = text_of(tmp_path / "runs")
    place = f"--runs {tmp_path / 'runs'}"
    command = f"vmsbench tune --exp gan data=folder data.root='my data' {place}"
    assert (
        f"`gan` has no test score: its best configuration has not been trained again yet. Continue with: `{command}`"
        in text
    )
    assert "`gan` has no baselines on the test set" in text
    assert f"`vmsbench tune --exp unet {place} data=folder 'data.root=my data'`" in text
    assert f"`vmsbench tune --exp diffusion {place} data=folder" in text
    assert "1 of 5 trials failed" in text


def test_a_sweep_that_was_killed_early_is_reported_as_far_as_it_got(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs", "unet", seeds=1)
    journal = (folder / "journal.jsonl").read_text().splitlines(keepends=True)
    (folder / "journal.jsonl").write_text("".join(journal[:7]) + '{"event": "fini')
    read = collect(tmp_path / "runs", ["unet"]).sweeps[0]
    assert [trial.state for trial in read.trials] == ["complete", "pruned", "complete", "unfinished", "unfinished"]
    assert [(step.parameter, step.settled) for step in read.parameters][-1] == ("optimizers.network", False)
    text = text_of(tmp_path / "runs")
    assert "no winner yet: 0 of 2 parameters are done" in text


def test_a_sweep_that_has_only_begun_is_reported(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs", "unet", seeds=0)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.name != "sweep.json":
            path.rmdir() if path.is_dir() else path.unlink()
    text = text_of(tmp_path / "runs")
    assert "`unet` has no trials yet" in text


def test_nan_and_null_and_broken_files_do_not_break_the_report(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs", "diffusion")
    trial = next((folder / "trials").iterdir())
    (trial / "history.jsonl").write_text(
        '{"epoch": 1, "train_loss": {"loss": NaN}, "scores": {"l1": Infinity}}\n[1]\n\xff{"epo'
    )
    first, second = sorted((folder / "final").iterdir())
    results = json.loads((first / "results.json").read_text())
    results["test_scores"]["cc_false"] = None
    write(first / "results.json", results)
    (second / "predictions.npz").write_bytes(b"cut")
    (second / "scores.csv").write_text("name,l1\nsun_3_000.jpg,nan\n")
    out = report(tmp_path / "runs", [], tmp_path / "out", formats=()).parent
    row = rows(out, "answers")["Diffusion"]
    expected = json.loads((second / "results.json").read_text())["test_scores"]["cc_false"]
    assert float(row["cc_false"]) == pytest.approx(expected)
    assert "nan" not in (out / "tables" / "answers.csv").read_text().lower()
    Page((out / "index.html").read_text())


def test_sweeps_on_different_data_are_never_in_one_table(tmp_path: Path) -> None:
    make_sweep(tmp_path / "runs", "unet")
    make_sweep(tmp_path / "runs", "gan", digest="0ther0ther0ther0")
    out = report(tmp_path / "runs", ["gan", "unet"], tmp_path / "out", formats=()).parent
    text = (out / "report.md").read_text()
    assert "their scores cannot be compared" in text
    assert "UNet" in rows(out, "answers-1")
    assert "GAN" not in rows(out, "answers-1")
    assert "GAN" in rows(out, "answers-2")
    assert not (out / "tables" / "answers.csv").exists()


def test_two_sweeps_of_one_family_are_told_apart_by_name_and_colour(tmp_path: Path) -> None:
    make_sweep(tmp_path / "runs", "gan")
    make_sweep(tmp_path / "runs", "gan", name="gan_wide")
    study = collect(tmp_path / "runs", [])
    assert [study.groups[0].label(sweep) for sweep in study.sweeps] == ["GAN (gan)", "GAN (gan_wide)"]
    assert len(set(style.colors(study.sweeps).values())) == 2


def test_data_that_cannot_be_loaded_any_more_leave_a_report_without_truth_that_says_so(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs", "unet")
    for path in folder.glob("final/*/config.json"):
        write(path, json.loads(path.read_text()) | {"data": {"_target_": "no.such.data"}})
    out = report(tmp_path / "runs", [], tmp_path / "out", formats=()).parent
    text = (out / "report.md").read_text()
    assert "Image and truth are missing: the data cannot be loaded any more (ConfigurationError" in text
    assert (out / "plots" / "samples-unet.png").exists()


def test_data_that_have_changed_are_not_taken_for_the_truth(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs", "unet")
    for path in folder.glob("final/*/config.json"):
        write(path, json.loads(path.read_text()) | {"data": {"_target_": f"{tiny.__module__}.tiny", "digest": "new"}})
    assert "the data have changed since" in text_of(tmp_path / "runs")


def test_the_samples_are_the_best_median_and_worst_with_their_own_errors(study) -> None:
    runs, _ = study
    samples = next(block.samples for block in compose(collect(runs, [])).blocks if hasattr(block, "samples"))
    own = ("UNet", "On the image", "Its error")
    assert samples.columns == ("Image", "Truth", *own, "Pixel median", "Oracle median", "GAN", "Diffusion")
    assert [row.rank for row in samples.rows] == ["best"] * 2 + ["median"] * 2 + ["worst"] * 2
    for row in samples.rows:
        truth, predicted = (row.tiles[column].pixels.astype(float) for column in ("Truth", "GAN"))
        assert row.tiles["GAN"].l1 == pytest.approx(np.abs(truth - predicted).mean() * 2 / 255)


def test_an_unknown_sweep_is_refused_with_those_there_are(tmp_path: Path) -> None:
    make_sweep(tmp_path / "runs", "gan", seeds=0)
    with pytest.raises(UserError, match=r"no sweep gna .*did you mean gan.*there are: gan"):
        collect(tmp_path / "runs", ["gna"])
    with pytest.raises(UserError, match=r"no sweeps in .* `vmsbench tune --exp unet --runs .*none` starts one"):
        collect(tmp_path / "none", [])


def test_a_report_replaces_a_report_but_never_lands_among_other_files(tmp_path: Path) -> None:
    make_sweep(tmp_path / "runs", "gan", seeds=1)
    make_sweep(tmp_path / "runs", "unet", seeds=1)
    out = tmp_path / "out"
    report(tmp_path / "runs", [], out, formats=())
    assert (out / "plots" / "coordinate-search-gan.png").exists()
    report(tmp_path / "runs", ["unet"], out, formats=("svg",))
    assert not (out / "plots" / "coordinate-search-gan.png").exists()
    assert (out / "plots" / "coordinate-search-unet.svg").read_text().startswith("<?xml")
    assert not list(out.glob("plots/*.pdf"))
    with pytest.raises(UserError, match="--formats gif: figures are written as PNG, and next to it as pdf and svg"):
        report(tmp_path / "runs", ["unet"], out, formats=("gif",))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "index.html").write_text("mine")
    with pytest.raises(UserError, match="something else than a report"):
        report(tmp_path / "runs", [], tmp_path / "thesis", formats=())
    assert (tmp_path / "thesis" / "index.html").read_text() == "mine"


def test_a_crash_leaves_the_older_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_sweep(tmp_path / "runs", "gan", seeds=1)
    page = report(tmp_path / "runs", [], tmp_path / "out", formats=())
    before = {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()}

    def break_down(*_: object) -> str:
        raise RuntimeError

    monkeypatch.setattr(import_module("vmsbench.report.write"), "to_page", break_down)
    with pytest.raises(RuntimeError):
        report(tmp_path / "runs", [], tmp_path / "out", formats=())
    assert {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()} == before


def test_parameters_and_options_have_the_shortest_clear_names() -> None:
    names = labels.parameters(["model.network.width", "model.discriminator.width", "optimizers.network", "model.norm"])
    assert list(names.values()) == ["network.width", "discriminator.width", "optimizers.network", "norm"]
    assert describe(sgd(0.01)) == "SGD(lr=0.01)"
    adam = {"_target_": "torch.optim.Adam", "lr": 0.001, "betas": [0.5, 0.999]}
    assert describe(adam) == "Adam(lr=0.001, betas=(0.5, 0.999))"
    assert [describe(value) for value in (None, True, 3, 1e-4, "batch")] == ["none", "true", "3", "0.0001", "batch"]


@pytest.mark.parametrize(
    ("name", "heading", "said"),
    [
        ("FID-2048", "FID-2048 ↓", "real against real is what other true maps score"),
        ("Frechet (weights abc123)", "Frechet (weights abc123) ↓", "Not FID: the weights are not Inception's official"),
    ],
)
def test_distances_have_their_floor_their_number_and_their_name(name, heading, said, tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs", "unet", seeds=1)
    path = next(folder.glob("final/*/results.json"))
    fid = {"name": name, "value": 12.5, "floor": 1.35, "n": 320, "reason": None, "kid": 0.02, "kid_error": 0.001}
    write(path, json.loads(path.read_text()) | {"fid": fid})
    study = collect(tmp_path / "runs", [])
    (row,) = csv.DictReader(to_csv(distance_table(study.groups[0])).splitlines())
    assert [row[key] for key in ("value", "floor", "n", "kid", "kid_error")] == [
        "12.5",
        "1.35",
        "320",
        "0.02",
        "0.001",
    ]
    text = to_report(compose(study))
    assert f"| {heading} |" in text
    assert "(plots/distances.png)" in text
    assert said in text
    assert name.startswith("FID") or "FID-" not in text


def test_without_inception_an_encoders_distances_have_its_name_the_blind_row_and_what_they_ask(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs", "unet", seeds=1)
    path = next(folder.glob("final/*/results.json"))
    instead = {"name": "Frechet (EfficientNet-Lite0)", "value": 282.0, "floor": 31.1, "n": 160, "reason": None}
    instead |= {"kid": 0.51, "kid_error": 0.01, "kid_floor": 0.0, "weights": {"file": "package", "sha256": "57"}}
    instead |= {"random_value": 32.2, "random_kid": 0.001, "random_kid_error": 0.0016}
    results = json.loads(path.read_text())
    write(path, results | {"fid": results["fid"] | {"encoder": instead}})
    study = collect(tmp_path / "runs", [])
    model, blind = csv.DictReader(to_csv(distance_table(study.groups[0], of=in_encoder)).splitlines())
    assert (model["value"], model["floor"], model["kid"]) == ("282.0", "31.1", "0.51")
    assert (blind["model"], blind["value"], blind["kid"]) == ("Random training maps", "32.2", "0.001")
    text = to_report(compose(study))
    for said in (
        "FID n/a for UNet: no Inception weights.",
        "| Frechet (EfficientNet-Lite0) ↓ |",
        "(plots/encoder-distances.png)",
        "Not FID: without Inception's weights",
        "a blind draw of random training maps reaches the floor",
    ):
        assert said in text
    assert "in the features of EfficientNet-Lite0 (" in text
    write(path, results | {"fid": results["fid"] | {"encoder": {k: v for k, v in instead.items() if k != "name"}}})
    text = to_report(compose(collect(tmp_path / "runs", [])))
    assert "in the features of an encoder whose name is missing (" in text
    write(path, results | {"fid": results["fid"] | {"encoder": instead | {"value": None, "reason": "not installed"}}})
    text = to_report(compose(collect(tmp_path / "runs", [])))
    assert "The distance in an encoder's features is n/a for UNet: not installed." in text


def test_without_weights_the_report_says_na_and_why(study) -> None:
    assert "FID n/a for UNet, GAN and Diffusion: no Inception weights." in (study[1] / "report.md").read_text()


def test_finals_without_results_are_unfinished_and_not_scored(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "runs", "unet", seeds=2)
    sorted((folder / "final").iterdir())[1].joinpath("results.json").unlink()
    study = collect(tmp_path / "runs", [])
    sweep, group = study.sweeps[0], study.groups[0]
    assert isinstance(group, SweepGroup)
    assert all(isinstance(final, FinalRecord) for final in sweep.finals)
    assert (len(sweep.finals), len(sweep.scored)) == (2, 1)
    assert "1 of 2 finals are not done" in text_of(tmp_path / "runs")
