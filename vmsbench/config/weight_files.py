"""Files of weights that a configuration names: known by what they hold, wherever they lie.

An object within the model whose constructor takes `weights` and `sha256` has such a file. Its `sha256` is filled in
when a training starts; from then on another file is refused, and a moved one is the same.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vmsbench.config.instantiate import accepted, find
from vmsbench.config.settings import Config
from vmsbench.errors import ConfigurationError
from vmsbench.files import checked_sha256, with_home

Change = Callable[[Config, str], Config]
"""Called with the settings of an object that has a file, and their dotted path."""

AT_PREDICTION = (
    "--encoder-weights FILE names those (Python: vmsbench.load(NAME, encoder_weights=FILE)); or put them there"
)


def pinned(config: Config) -> Config:
    """The configuration with the whole path and the SHA-256 of each file.

    Raises ConfigurationError for a file that cannot be read, or that is not the one whose SHA-256 is given.
    """

    def pin(spec: Config, path: str) -> Config:
        file = Path(spec["weights"]).expanduser().resolve()
        return spec | {"weights": str(file), "sha256": checked_sha256(file, spec.get("sha256"), names(path))}

    return changed(config, pin)


def by_content(config: Config) -> Config:
    """The configuration with the SHA-256 of each file in place of its path. Raises ConfigurationError for a file that
    cannot be read and whose SHA-256 is not given."""

    def identify(spec: Config, path: str) -> Config:
        own = {name: value for name, value in spec.items() if name != "weights"}
        return own | {
            "sha256": spec.get("sha256") or checked_sha256(Path(spec["weights"]).expanduser(), None, names(path))
        }

    return changed(config, identify)


def located(config: Config, moved: Path | str | None = None) -> Config:
    """The configuration of a trained model with each file where it is now.

    moved   where the file of the same contents is

    Raises ConfigurationError where a file cannot be read or is not the one that the model was trained with.
    """
    trained = [str(spec["sha256"]) for _, spec in specs(config) if spec.get("sha256")]
    found = None
    if moved is not None:
        moved = with_home(moved).resolve()
        found = checked_sha256(moved, None, AT_PREDICTION)
        if not trained:
            raise ConfigurationError(f"--encoder-weights {moved}: this model has no weights from a file; leave it out")
        if found not in trained:
            checked_sha256(moved, trained[0], AT_PREDICTION)

    def locate(spec: Config, path: str) -> Config:
        if moved is not None and spec.get("sha256") == found:
            return spec | {"weights": str(moved)}
        checked_sha256(Path(spec["weights"]), spec.get("sha256"), AT_PREDICTION)
        return spec

    return changed(config, locate)


def moved_files(trained: Config, now: Config) -> Config:
    """Where the files of a trained model are now, as settings by dotted path: those of the same contents in `now`."""
    there = {spec["sha256"]: spec["weights"] for _, spec in specs(now)}
    known = ((path, spec.get("sha256")) for path, spec in specs(trained) if "[" not in path)
    return {f"{path}.weights": there[sha256] for path, sha256 in known if sha256 in there}


def check_same_files(before: Config, now: Config) -> None:
    """Raises ConfigurationError where a file holds something else than the one in its place that was trained with."""
    trained = {path: spec.get("sha256") for path, spec in specs(before)}
    for path, spec in specs(now):
        checked_sha256(Path(spec["weights"]).expanduser(), trained.get(path), names(path))


def names(path: str) -> str:
    return f"{path}.weights=FILE names those"


def specs(config: Config) -> Iterator[tuple[str, Config]]:
    """The settings of every object that has a file, by their dotted paths."""
    found: dict[str, Config] = {}

    def note(spec: Config, path: str) -> Config:
        found[path] = spec
        return spec

    changed(config, note)
    return iter(found.items())


def changed(config: Config, change: Change) -> Config:
    """The configuration with `change` made to every object of the model that has a file."""
    return config | {"model": within(config["model"], "model", change)} if "model" in config else config


def within(value: Any, path: str, change: Change) -> Any:
    if isinstance(value, list | tuple):
        return [within(item, f"{path}[{index}]", change) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    inner = {name: within(item, f"{path}.{name}", change) for name, item in value.items()}
    return change(inner, path) if has_file(inner) else inner


def has_file(spec: Config) -> bool:
    if not isinstance(spec.get("weights"), str) or not isinstance(spec.get("_target_"), str):
        return False
    return {"weights", "sha256"} <= set(accepted(find(spec["_target_"])))
