"""The code of a submission: the package and its conf/ in one archive per version, in the folder of the sweep.

    runs/NAME/code/VERSION.zip     kept; VERSION is a digest of its contents
    runs/NAME/code/VERSION/        the same unpacked, for all nodes, while a job of the sweep runs

A job, its requeues and continuations and its elastic workers run it, also where the submission was from a wheel.
Packages that vmsbench depends on, and plugins, are not part of it.
"""

import contextlib
import hashlib
import os
import shutil
import sys
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from vmsbench.config.plugins import conf_folder
from vmsbench.errors import UserError
from vmsbench.files import replace, storing
from vmsbench.versions import COMMIT, commit

PLACE = "code"
LARGEST = 2_000_000  # bytes of an archive
KEPT = (".py", ".css", ".js", ".yaml", ".typed")
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file in an archive, so that equal code is an equal archive."""


def contents() -> Iterator[tuple[str, bytes]]:
    """The files of the package and of its conf/, by their paths in the archive."""
    package = Path(__file__).resolve().parents[2]
    for root, name in ((package, package.name), (conf_folder(), "conf")):
        for file in sorted(file for file in root.rglob("*") if file.suffix in KEPT and file.is_file()):
            if root == package and "conf" in file.relative_to(root).parts[:1]:
                continue
            yield f"{name}/{file.relative_to(root)}", file.read_bytes()
    yield f"{package.name}/{COMMIT}", (commit() or "").encode()


def archived(folder: Path) -> str:
    """Keep the code of this process in the folder of a sweep; returns its version.

    Raises UserError where it is larger than LARGEST, StorageError where it cannot be written.
    """
    found = list(contents())
    version = hashlib.sha256(b"".join(hashlib.sha256(f"{name}\n".encode() + data).digest() for name, data in found))
    file = folder / PLACE / f"{version.hexdigest()[:12]}.zip"
    if not file.exists():
        with storing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        replace(file, lambda out: write(out, found))
        if (size := file.stat().st_size) > LARGEST:
            file.unlink()
            raise UserError(
                f"the code of vmsbench and its conf/ take {size / 1e6:.1f} MB in {file.name}, at most "
                f"{LARGEST / 1e6:g} MB are kept: move what is not code out of {Path(__file__).resolve().parents[2]}"
            )
    return file.stem


def write(out: object, found: list[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for name, data in found:
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED)


def unpacked(folder: Path, version: str) -> Path:
    """The folder with a version's code, where all nodes see it.

    Raises UserError where its archive is gone or damaged, StorageError where it cannot be unpacked.
    """
    place = folder.resolve() / PLACE / version
    if place.is_dir():
        return place
    archive, part = archive_file(place), place.with_name(f"{version}.part-{uuid.uuid4().hex}")
    if not archive.exists():
        raise UserError(unusable(archive, "is gone"))
    with storing(place):
        extract(archive, part)
        try:
            part.rename(place)
        except OSError:  # another job of the sweep was faster
            shutil.rmtree(part, ignore_errors=True)
    return place


def archive_file(place: Path) -> Path:
    """The archive of what is unpacked there."""
    return place.with_name(f"{place.name}.zip")


def extract(archive: Path, place: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(place)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        shutil.rmtree(place, ignore_errors=True)
        raise UserError(unusable(archive, f"is damaged ({error})")) from error


def unusable(archive: Path, why: str) -> str:
    return f"{archive}, the code that this job was submitted with, {why}: put it back, or submit the sweep again"


def remove_unpacked(folder: Path) -> None:
    """Keep the archives alone. What is removed loses its name first, so that no job takes the half of it for all."""
    for place in (folder / PLACE).glob("*"):
        if place.is_dir():
            with contextlib.suppress(OSError):
                place = place.rename(place.with_name(f"{place.name}.old-{uuid.uuid4().hex}"))
            shutil.rmtree(place, ignore_errors=True)


def code_of_sweep(path: str) -> bool:
    """Whether a folder is the unpacked code of some sweep."""
    place = Path(path)
    return place.parent.name == PLACE and archive_file(place).is_file()


def running(code: Path | None) -> Mapping[str, str]:
    """The variables under which Python imports this code rather than what is installed, or lies in the current
    folder; empty for None."""
    if code is None:
        return {}
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    before = [path for path in given if path and not code_of_sweep(path)]
    here = [] if sys.flags.safe_path else [os.getcwd()]
    return {"PYTHONPATH": os.pathsep.join(dict.fromkeys([str(code), *before, *here])), "PYTHONSAFEPATH": "1"}
