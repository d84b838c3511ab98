"""A cluster's site from Python: what it accepts, and which settings of the launcher apply here."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vmsbench.config.compose import compose
from vmsbench.config.instantiate import find
from vmsbench.config.plugins import check_option
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.files import replace as replace_file
from vmsbench.launch.allocation import launchers
from vmsbench.launch.launcher import Launcher, Survey
from vmsbench.launch.site_profile import (
    Sourced,
    checked,
    from_environment,
    named,
    of_launcher,
    profile_of,
    site_file,
    sourced,
)

HEADER = "# Settings of launcher={name} on cluster {cluster}, by `vmsbench site init`; launcher.NAME=VALUE wins.\n"


def site_settings(*overrides: str) -> dict[str, Sourced]:
    """The settings of a cluster's launcher here, each with its source: default, profile, site.yaml, a variable of the
    environment, command line.

    overrides  as on the command line: launcher=NAME, launcher.partition=gpu
    Raises UserError for a file or an override that is wrong.
    """
    settings, given = launcher_settings(overrides)
    return {name: one for name, one in sourced(settings, given).items() if not name.startswith("_")}


def check_cluster(*overrides: str) -> None:
    """Raises UserError where no cluster of the launcher answers here: no profile applies then."""
    settings, _ = launcher_settings(overrides)
    kind: type[Launcher] = find(settings["_target_"], "launcher")
    if asks(kind) and kind.cluster_name() is None:
        raise UserError(
            f"no cluster of launcher={launcher_name(overrides)} answers here: these settings are without a site's "
            "profile; run this on a cluster's login node"
        )


def survey_site(*overrides: str) -> Survey:
    """Ask a cluster which settings of its launcher it accepts; nothing is submitted and nothing is written.

    overrides  settings that are kept: launcher.partition=gpu
    Raises UserError where the cluster is not here, does not answer, or accepts no job.
    """
    settings, given = launcher_settings(overrides)
    kind: type[Launcher] = find(settings["_target_"], "launcher")
    profile = profile_of(kind.cluster_name())
    own = {**from_environment(kind), **{name: settings[name] for name in named(given)}}
    survey = kind.survey(own, checked(profile.file, profile.settings, settings) if profile else {})
    return replace(survey, settings={**own, **survey.settings})


def write_site(survey: Survey, *, force: bool = False, launcher: str | None = None) -> Path:
    """Write what was accepted to site.yaml; returns its path.

    Raises UserError where there is one already, unless `force`, and where it cannot be written.
    """
    import yaml

    file = writable_site_file(force)
    text = HEADER.format(name=launcher or launcher_name(()), cluster=survey.cluster)
    text += yaml.safe_dump(dict(survey.settings), sort_keys=False)
    replace_file(file, lambda out: out.write(text.encode()))
    return file


def writable_site_file(force: bool) -> Path:
    """The path of site.yaml, its folder made. Raises UserError where it cannot be written, or is there already."""
    file = site_file()
    try:
        if file.exists() and not force:
            raise UserError(f"{file} is there; --force replaces it, --print shows what would be in it")
        file.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=file.parent).close()
    except OSError as error:
        words = f"cannot write {file} ({error.strerror}): set XDG_CONFIG_HOME to a folder of yours, or give --print"
        raise UserError(words) from error
    return file


def launcher_settings(overrides: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The settings of a cluster's launcher with the overrides in them, and the overrides of its settings."""
    for override in overrides:
        if not of_launcher(override):
            raise ConfigurationError(
                f"{override}: a site has only launcher=NAME and settings of it, launcher.NAME=VALUE"
            )
    name = launcher_name(overrides)
    given = [one for one in overrides if one.startswith("launcher.")]
    return compose("unet", [f"launcher={name}", *given], check_all=False)["launcher"], given


def launcher_name(overrides: Sequence[str]) -> str:
    """The launcher that is chosen, else the first that submits to a cluster, of those that can ask it if there are."""
    chosen = next((one.partition("=")[2] for one in overrides if one.startswith("launcher=")), None)
    there = {name: kind for name, kind in launchers() if not kind.in_process}
    if chosen is None:
        return next((name for name, kind in there.items() if asks(kind)), next(iter(there)))
    check_option("launcher", "launcher", chosen)
    if chosen not in there:
        raise ConfigurationError(f"launcher={chosen} runs here and has no site; choose one of {', '.join(there)}")
    return chosen


def asks(kind: type[Launcher]) -> bool:
    """Whether a launcher has a survey of its own."""
    return next(base for base in kind.__mro__ if "survey" in vars(base)) is not Launcher
