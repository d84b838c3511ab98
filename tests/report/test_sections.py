"""A section of the report is a function of a topic in a file of sections/, and a line in document.py."""

from pathlib import Path

import pytest

from tests.support.sweep_maker import make_sweep
from vmsbench.report import document
from vmsbench.report.blocks import Block, Text
from vmsbench.report.render.markdown import to_report
from vmsbench.report.topic import Section, Topic
from vmsbench.store.reader import collect


def weather_blocks(topic: Topic) -> list[Block]:
    return [Text(f"Sunny over {len(topic.group.sweeps)} sweep, {next(iter(topic.verdicts.sentences))}")]


def test_a_new_section_is_a_function_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_sweep(tmp_path, "unet")
    monkeypatch.setattr(document, "SECTIONS", [Section("Weather", weather_blocks), Section("Empty", lambda topic: [])])
    text = to_report(document.compose(collect(tmp_path, [])))
    assert "## Weather\n\nSunny over 1 sweep, As one answer" in text
    assert "## Empty" not in text


def test_every_file_of_sections_but_the_tables_they_share_is_in_the_report() -> None:
    files = {path.stem for path in (Path(document.__file__).parent / "sections").glob("*.py")} - {"__init__"}
    used = {section.blocks.__module__.rpartition(".")[2] for section in document.SECTIONS}
    assert files - used == set()
