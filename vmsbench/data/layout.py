"""Where a dataset's parts lie: its two folders, its lists of names, its categories."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vmsbench.data.sources.names import is_text, printable
from vmsbench.errors import DataError, did_you_mean

Split = Literal["train", "validation", "test"]
SETTINGS = "set data.images=NAME data.maps=NAME"
OPTIONS = "give --images NAME --maps NAME"

IMAGES = ("images", "image", "imgs", "img", "photos", "pictures", "scenes", "stimuli", "inputs", "input", "jpegimages")
MAPS = ("vms", "maps", "map", "labels", "targets", "target", "masks", "heatmaps", "saliency", "fixations", "outputs")
LISTS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid"),
    "test": ("test", "testing"),
}


@dataclass(frozen=True)
class Layout:
    """Paths of one dataset; `lists` has a file of names per split, where there is one."""

    root: Path
    images: Path
    maps: Path
    lists: dict[Split, Path] = field(default_factory=dict)
    categories: Path | None = None
    title: str = "paired folder"


def existing_root(root: str | Path | None) -> Path:
    """The folder `root`. Raises DataError where it is not one, with what lies nearby."""
    if root is None:
        raise DataError("no data folder given: set data.root=PATH, or use data=standin")
    path = Path(root).expanduser()
    if not is_text(str(path.resolve())):
        raise DataError(f"{printable(str(path.resolve()))}: this path is not UTF-8: rename its folders")
    if path.is_dir():
        return path
    if path.exists():
        raise DataError(f"{path} is a file, not a folder: give the folder that holds the images and the maps")
    parent = path.parent
    near = did_you_mean(path.name, [entry.name for entry in parent.iterdir()]) if parent.is_dir() else ""
    raise DataError(f"{path} does not exist{near or '; give the folder that holds the images and the maps'}")


STAMP = "standin.json"
"""A folder of synthetic data has this file; it lies in the layout of VISCHEMA PLUS."""


def vischema_layout(root: Path) -> Layout:
    """VISCHEMA PLUS as released: its validation list is the test set. Raises DataError where a part is missing."""
    parts = ("images", "vms", "viscplus_train.csv", "viscplus_val.csv")
    missing = [part for part in parts if not (root / part).exists()]
    if missing:
        raise DataError(
            f"{root} is not VISCHEMA PLUS: it lacks {', '.join(missing)} (found: {found(root)}); "
            "other paired folders: data=folder data.root=PATH data.images=... data.maps=..."
        )
    categories = root / "categories.csv"
    return Layout(
        root,
        root / "images",
        root / "vms",
        {"train": root / "viscplus_train.csv", "test": root / "viscplus_val.csv"},
        categories if categories.exists() else None,
        "synthetic data" if (root / STAMP).exists() else "VISCHEMA PLUS",
    )


def folder_layout(
    root: Path,
    images: str,
    maps: str,
    lists: dict[Split, str | None] | None = None,
    categories: str | None = None,
    how: str = SETTINGS,
) -> Layout:
    """Any paired folder; the names are relative to `root`. Raises DataError where a part is missing.

    how   the two folders are named, for errors
    """
    for name in (images, maps):
        if not (root / name).is_dir():
            raise DataError(f"{root} has no folder {name} (found: {found(root)}); {how}")
    if (root / images).samefile(root / maps):
        raise DataError(
            f"{root}: {images} and {maps} are one folder; its maps lie elsewhere: {how}"
            if images != maps
            else f"{root}: {images} is given for the images and for the maps; {how}"
        )
    given = {split: name for split, name in (lists or {}).items() if name is not None}
    settings: list[tuple[str, str]] = [*given.items(), *([("categories", categories)] if categories else [])]
    for setting, name in settings:
        if not (root / name).is_file():
            there = "is a folder" if (root / name).is_dir() else f"is not in {root} (found: {found(root)})"
            raise DataError(
                f"data.{setting}={name} {there}; set data.{setting}=FILE, a list of images' names in {root}"
            )
    return Layout(
        root,
        root / images,
        root / maps,
        {split: root / name for split, name in given.items()},
        root / categories if categories else None,
        root.resolve().name,
    )


VISCHEMA = ("images", "vms", "viscplus_train.csv", "viscplus_val.csv")


def detect(root: str | Path, images: str | None = None, maps: str | None = None, how: str = SETTINGS) -> Layout:
    """The layout of `root`: VISCHEMA PLUS, or a folder with an images-like and a maps-like folder in it.

    Raises DataError with what was found there instead.
    """
    path = existing_root(root)
    if images is None and maps is None and is_vischema(path):
        return vischema_layout(path)
    lacking = [part for part in VISCHEMA if not (path / part).exists()]
    if images is None and maps is None and lacking and any((path / part).exists() for part in VISCHEMA[1:]):
        raise DataError(f"{path} looks like VISCHEMA PLUS but lacks {', '.join(lacking)} (found: {found(path)})")
    folders = {entry.name.lower(): entry.name for entry in path.iterdir() if entry.is_dir()}
    images = images or first(IMAGES, folders)
    maps = maps or first(MAPS, {name: real for name, real in folders.items() if real != images})
    if images is None or maps is None:
        inside = [entry.name for entry in sorted(path.iterdir()) if entry.is_dir() and is_vischema(entry)]
        hint = f"did you mean {path / inside[0]}?" if inside else how
        no_such = " and ".join(what for what, name in (("an images", images), ("a maps", maps)) if name is None)
        raise DataError(f"{path} has no folder that looks like {no_such} folder (found: {found(path)}); {hint}")
    files = {entry.name.lower(): entry.name for entry in path.iterdir() if entry.is_file()}
    lists: dict[Split, str | None] = {
        split: first([stem + suffix for stem in stems for suffix in (".csv", ".txt")], files)
        for split, stems in LISTS.items()
    }
    return folder_layout(path, images, maps, lists, first(["categories.csv"], files), how)


def is_vischema(folder: Path) -> bool:
    return all((folder / part).exists() for part in VISCHEMA)


def first(wanted: tuple[str, ...] | list[str], present: dict[str, str]) -> str | None:
    return next((present[name] for name in wanted if name in present), None)


def found(folder: Path, at_most: int = 8) -> str:
    """What lies in a folder, for an error message."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    names = sorted(printable(entry.name) + "/" * entry.is_dir() for entry in entries)
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return (", ".join(names[:at_most]) or "nothing") + more
