"""Where VISCHEMA PLUS lies, if anywhere: it cannot be downloaded, so tests that read it run only where it is."""

import os
from pathlib import Path


def data_folder() -> Path | None:
    """$VMSBENCH_DATA, else shared/vischema_plus next to a folder above; None where there is no VISCHEMA PLUS."""
    places = [Path(given)] if (given := os.environ.get("VMSBENCH_DATA")) else []
    places += [parent / "shared" / "vischema_plus" for parent in Path(__file__).resolve().parents]
    return next((place for place in places if (place / "viscplus_train.csv").is_file()), None)
