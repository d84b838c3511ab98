"""`vmsbench site`: the settings of this cluster."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from vmsbench.cli.options import ConfigDir, Json

app = typer.Typer(help="The settings of this cluster, and where each is from.", no_args_is_help=True)
Settings = Annotated[
    list[str] | None, typer.Argument(metavar="[OVERRIDE]...", help="launcher=NAME, or launcher.partition=gpu, ...")
]


@app.command()
def init(
    overrides: Settings = None,
    config_dir: ConfigDir = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the site.yaml that is there.")] = False,
    show: Annotated[bool, typer.Option("--print", help="Only print what would be written.")] = False,
) -> None:
    """Ask the cluster what it accepts, and write site.yaml.

    Each setting is tried by a job that is not submitted; what is refused is left out. Settings that you give are kept.
    """
    from vmsbench.api.cluster.sites import launcher_name, survey_site, writable_site_file, write_site

    given = list(overrides or [])
    if not show:
        writable_site_file(force)
    survey = survey_site(*given)
    print(f"cluster {survey.cluster}")
    for line in survey.lines:
        print(
            f"  {line.name:<12} {text(line.value) if line.value is not None else 'left out':<14} {line.said}".rstrip()
        )
    for one in survey.refused:
        print(f"  refused      {one}")
    if not show:
        file = write_site(survey, force=True, launcher=launcher_name(given))
        print(f"wrote {file}; `vmsbench site show` shows every setting and where it is from")


@app.command("show")
def show_settings(overrides: Settings = None, config_dir: ConfigDir = None, as_json: Json = False) -> None:
    """Show every setting of the cluster's launcher, and where it is from.

    Where no cluster answers, this is said after them, with exit code 2.
    """
    from vmsbench.api.cluster.sites import check_cluster, site_settings

    found = site_settings(*(overrides or []))
    if as_json:
        print(json.dumps({name: asdict(one) for name, one in found.items()}, indent=2))
    else:
        for name, one in found.items():
            print(f"{name:<12} {text(one.value):<20} {one.source}")
    check_cluster(*(overrides or []))


def text(value: Any) -> str:
    """A value as the command line takes it."""
    from vmsbench.config.schema import shown

    return shown(value)
