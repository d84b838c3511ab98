"""Families of models: what as an experiment of conf/exp declares it.

    family: {name: UNet, color: "#0072b2", order: 1}          in conf/exp/unet.yaml

Everything that lists families asks here, so a family is its files in conf/ and, where it needs one, a model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vmsbench.errors import ConfigurationError

LAST = 1000


@dataclass(frozen=True)
class Family:
    """An experiment of conf/exp.

    name    for display: UNet
    color   of its curves and bars, as #rrggbb; empty: the report chooses one
    order   its place in tables and lists, lowest first
    demo    the overrides with which `vmsbench demo` runs it; None: it is no part of the demo
    """

    exp: str
    name: str
    color: str = ""
    order: int = LAST
    demo: tuple[str, ...] | None = None


def families() -> dict[str, Family]:
    """Every experiment by its `--exp` name, in order. Raises ConfigurationError for a wrong entry."""
    from vmsbench.config.plugins import option_files

    found = [read(file, file.stat().st_mtime_ns) for file in option_files("exp").values()]
    return {one.exp: one for one in sorted(found, key=lambda one: (one.order, one.exp))}


@cache
def read(file: Path, changed: int) -> Family:
    """The family of an exp file that was last changed at that time."""
    from vmsbench.config.plugins import settings_in

    return family(file.stem, settings_in(file))


def family(exp: str, document: Mapping[str, Any]) -> Family:
    """The family that an exp file declares; without a declaration it is called by the file's name."""
    about = {"name": exp, **(document.get("family") or {})}
    about |= {"demo": tuple(about["demo"])} if about.get("demo") is not None else {}
    try:
        return Family(exp, **about)
    except TypeError as error:
        has = ", ".join(Family.__dataclass_fields__)
        raise ConfigurationError(f"conf/exp/{exp}.yaml: family has {', '.join(about)}; it may have: {has}") from error


def experiments_that_choose(group: str) -> list[str]:
    """The experiments whose own file chooses an option of a group, which others do without: discriminator."""
    from vmsbench.config.plugins import option_files, settings_in

    own = {exp: settings_in(file).get("defaults") or [] for exp, file in option_files("exp").items()}
    chosen = {
        exp: {name for entry in entries if isinstance(entry, dict) for name in entry} for exp, entries in own.items()
    }
    return [exp for exp, names in chosen.items() if names & {group, f"/{group}"}]


def family_of(exp: str) -> Family:
    """The family of an experiment, also where its conf file no longer exists."""
    return families().get(exp, Family(exp, exp))
