"""FID's Inception weights from Python: whether they are there, and official."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmsbench.metrics.distances.inception import (
    OFFICIAL_BYTES,
    OFFICIAL_FILE,
    OFFICIAL_SHA256,
    URL,
    NoWeights,
    Weights,
    find_weights,
    places,
)


@dataclass(frozen=True)
class WeightsCheck:
    """What was found: the weights, or why there are none; `places` says of each place whether a file is there."""

    found: Weights | NoWeights
    places: Mapping[Path, bool]

    @property
    def official(self) -> bool:
        """Whether they are those of the original FID; a distance by others is called by their hash."""
        return isinstance(self.found, Weights) and self.found.official

    def as_json(self) -> dict[str, Any]:
        """The same as one dictionary, as `vmsbench weights check --json` prints it."""
        one = self.found
        needed = {"file": OFFICIAL_FILE, "bytes": OFFICIAL_BYTES, "sha256": OFFICIAL_SHA256}
        state = {"file": None, "sha256": None, "name": None, "reason": getattr(one, "reason", None)}
        if isinstance(one, Weights):
            state |= {"file": str(one.file), "sha256": one.sha256, "name": one.name()}
        places = {str(place): there for place, there in self.places.items()}
        return {"official": self.official, "needed": needed} | state | {"places": places, "url": URL}


def check_weights(path: Path | str | None = None) -> WeightsCheck:
    """Look for FID's Inception weights in `path` (default: in $TORCH_HOME and torch's cache), and verify them.

    Nothing is downloaded, and nothing raises: `.found` says what is missing.
    """
    return WeightsCheck(find_weights(path), {place: place.is_file() for place in places(path)})
