"""The code blocks of README.md and docs/."""

import re

from tests.support.processes.running import ROOT

DOCS = ROOT / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.S)
