"""What a container gets of the host's files: the folders of the runs, the current one, scratch, the home, and every
path that the configuration, the command or the environment names. Each has the same path inside as outside.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vmsbench.errors import ConfigurationError
from vmsbench.launch.environment import BINDS

PLACES = ("HOME", "TMPDIR", "TORCH_HOME", "MLFLOW_TRACKING_URI", "VMSBENCH_RUNS", "VMSBENCH_DATA")
"""The variables that name a path; VMSBENCH_CONF and VMSBENCH_BINDS name several."""
SEPARATORS = (":", ",", "\n")
"""What no path may have in it: the runtimes separate paths and options by it."""
SYSTEM = {
    "/", *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/run", "/sbin", "/sys", "/usr", "/var")
}  # fmt: skip
"""Folders that a container has of its own."""


def configured(settings: Mapping[str, Any]) -> list[str]:
    """The paths that a composed configuration names, outside of the settings of its launcher. Variables of the
    environment are kept: they may be others on the nodes."""
    texts = texts_of({name: value for name, value in settings.items() if name != "launcher"})
    places = (place_of(text) if "$" in text else str(path_of(text) or "") for text in texts)
    return list(dict.fromkeys(place for place in places if place.startswith(("/", "$", "~"))))


def texts_of(value: Any) -> Iterator[str]:
    """Every text in nested settings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from texts_of(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts_of(one)


def place_of(text: str) -> str:
    """A text without quotes and scheme; of a SQLite database its folder, as it writes next to its file."""
    bare = text.strip("'\"")
    place = re.sub(r"^(file://|sqlite:///)", "", bare)
    return os.path.dirname(place) if bare.startswith("sqlite:") else place


def path_of(text: str) -> Path | None:
    """The path that a text names, links as they are typed: an absolute one, or what is there from the current folder.
    None where the text names no path."""
    place = os.path.expanduser(os.path.expandvars(place_of(text)))
    if not place or not (os.path.isabs(place) or os.path.exists(place)):
        return None
    path = Path(place).absolute()
    return path.parent.resolve() / path.name if ".." in path.parts else path


def binds(command: Sequence[str], folder: Path, further: Sequence[str] = ()) -> dict[str, str]:
    """What the container of a command gets: paths inside, and those outside. A link that was typed is bound next to
    the folder that it leads to; of what is not there, the folder that it would be created in.

    folder   of the sweep
    further  paths, as VMSBENCH_BINDS has them in a job
    Raises ConfigurationError for a path that no runtime can bind.
    """
    variables = [os.environ.get(name, "") for name in PLACES]
    several = [one for name in (BINDS, "VMSBENCH_CONF") for one in os.environ.get(name, "").split(os.pathsep)]
    words = [word.partition("=")[2] or word for word in command]
    named = [path_of(text) for text in (*variables, *several, *further, *words) if text]
    paths = [folder.parent.absolute(), Path.cwd(), Path(tempfile.gettempdir()), *filter(None, named)]
    there = [place for path in paths if (place := nearest(path))]
    found: dict[str, str] = {}
    for inside in (*sorted({place.resolve() for place in there}), *there):  # a folder before what lies in it
        if inside.parts[1:] and not any(str(above) in found for above in (inside, *inside.parents)):
            found[str(inside)] = str(inside.resolve())
    refuse_unbindable(*found, *found.values())
    return found


def nearest(path: Path) -> Path | None:
    """The path, or the nearest folder above it that is there, in which it would be created; None where that is the
    system's, which the container has of its own."""
    there = next(one for one in (path, *path.parents) if os.path.exists(one))
    return None if there != path and str(there) in SYSTEM else there


def refuse_unbindable(*paths: str) -> None:
    """Raises ConfigurationError for a path that has one of SEPARATORS in it."""
    for path in paths:
        if any(one in path for one in SEPARATORS):
            raise ConfigurationError(
                f"a container cannot have {path!r}, as the runtimes separate paths by `:` and `,`: rename it"
            )
