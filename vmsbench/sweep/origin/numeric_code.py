"""The numeric code that a sweep was started with: it continues with that, or with other code where the user accepts it.

sweep.json has a digest of each file; an event `code` of the journal has those that were accepted later.
"""

from pathlib import Path
from typing import Any

from vmsbench.errors import UserError
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.versions import code_by_file

SHOWN = 5
CODE = "code"


def check_code(folder: Path, accept: bool) -> None:
    """Record other code where it is accepted. Raises UserError naming the files where it is not; digests follow what a
    file does, not its comments and layout."""
    before, now = code_of(folder), code_by_file()
    if not before or before == now:
        return
    changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if not accept:
        more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        raise UserError(
            f"{folder.name} was started with other code: {', '.join(changed[:SHOWN])}{more} differ; --accept-code "
            "continues it with this code, --name starts another sweep"
        )
    SweepFolder(folder).journal.write(CODE, files=changed, code=now)


def code_of(folder: Path) -> dict[str, Any]:
    """The digests of the code that the sweep's last trials were trained with; empty where they are not known."""
    there = SweepFolder(folder)
    accepted = [event for event in there.journal.events() if event.get("event") == CODE]
    return dict(accepted[-1]["code"] if accepted else there.about().get(CODE) or {})
