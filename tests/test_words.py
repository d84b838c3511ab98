"""Words for people are plain English in the field's terms: a short list of words that must not come back."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ODD = {
    "told": "given",
    "unless told": "default",
    "beside": "next to",
    "besides": "in addition",
    "anew": "again",
    "mend": "fix",
    "strike": "inject",
    "elder": "previous",
    "learnt": "learned",
    "begun": "started",
    "began": "started",
    "begins": "starts",
    "somebody": "another process, or the user",
    "whoever": "the user",
    "wish": "setting",
    "walk": "coordinate search",
    "goes on": "continues",
    "tried again": "run again",
    "queued again": "requeued",
    "is no": "is not a",
    "at the least": "at least",
    "passed over": "skipped",
    "would do": "works",
}
FINE = re.compile(r"is no (?:such|better|limit|scaling|change)|is none|there is no|where is no")


def strings(file: Path) -> Iterator[tuple[int, str]]:
    """The texts of a Python file that a user may see: sentences, no docstrings but those of commands."""
    tree = ast.parse(file.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    helps = "commands" in file.parts
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or " " not in node.value.strip():
            continue
        if (helps or id(node) not in docstrings) and not node.value.lstrip().startswith("<"):
            yield node.lineno, " ".join(node.value.split())


@cache
def texts() -> list[tuple[str, str]]:
    return list(read())


def read() -> Iterator[tuple[str, str]]:
    for file in sorted((ROOT / "vmsbench").rglob("*.py")):
        for line, text in strings(file):
            yield f"{file.relative_to(ROOT)}:{line}", text
    pages = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "slurm").iterdir()]
    for file in sorted([*pages, *(ROOT / "conf").rglob("*.yaml"), ROOT / "Makefile"]):
        for line, text in enumerate(file.read_text().splitlines(), start=1):
            yield f"{file.relative_to(ROOT)}:{line}", text


@pytest.mark.parametrize("word", ODD)
def test_help_errors_logs_and_pages_are_in_the_fields_words(word: str) -> None:
    odd = re.compile(rf"\b{word}\b(?!`)", re.IGNORECASE)
    found = [f"{place}: {text[:100]}" for place, text in texts() if odd.search(FINE.sub("", text))]
    assert not found, f"{word}: write {ODD[word]} instead\n" + "\n".join(found)
