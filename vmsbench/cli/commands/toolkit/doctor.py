"""`vmsbench doctor`: check the installation."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmsbench.cli.options import (
    Json,
    Runs,
    expanded,
)
from vmsbench.cli.wrapping import broken

if TYPE_CHECKING:
    from vmsbench.api.toolkit.doctor import Finding

WIDTH = 80


def doctor(
    data: Annotated[
        Path | None, typer.Option(help="A folder of images and maps (default: $VMSBENCH_DATA).", callback=expanded)
    ] = None,
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """Check the installation.

    Each finding is ok or has a fix; exit code 1 where something is bad.
    """
    if not print_findings(runs, data, as_json):
        raise typer.Exit(1)


def print_findings(runs: Path, data: Path | None, as_json: bool) -> bool:
    """Print every finding; True where nothing is bad."""
    from vmsbench.api.toolkit.doctor import doctor as examine

    findings = []
    for finding in examine(data=data, runs=runs):
        findings.append(finding)
        if not as_json:
            print("\n".join(lines(finding)), flush=True)
    bad = sum(finding.state == "bad" for finding in findings)
    if as_json:
        print(json.dumps({"ok": not bad, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        print(f"\n{bad} to fix before vmsbench works here" if bad else "\nvmsbench works here")
    return not bad


def lines(finding: Finding) -> list[str]:
    head = f"{finding.state:<5} {finding.name:<18} "
    out = broken(finding.said, WIDTH, first=head, then=" " * len(head))
    if finding.fix:
        out += broken(f"-> {finding.fix}", WIDTH, first=" " * 6, then=" " * 9)
    return out
