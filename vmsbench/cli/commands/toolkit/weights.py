"""`vmsbench weights`: FID's Inception weights: whether they are there, and how to copy them to a cluster without
internet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmsbench.cli.options import Json, expanded

if TYPE_CHECKING:
    from vmsbench.api.toolkit.weights import WeightsCheck
    from vmsbench.metrics.distances.inception import NoWeights, Weights

app = typer.Typer(help="FID's Inception weights.", no_args_is_help=True, rich_markup_mode=None)


@app.command("check")
def weights_check(
    path: Annotated[
        Path | None, typer.Argument(help="The file (default: looked for in $TORCH_HOME).", callback=expanded)
    ] = None,
    as_json: Json = False,
) -> None:
    """Check FID's Inception weights.

    Whether they are found and official, and how to copy them to a cluster.
    """
    from vmsbench.api.toolkit.weights import check_weights

    checked = check_weights(path)
    print(json.dumps(checked.as_json(), indent=2) if as_json else "\n".join(lines(checked)))
    if not checked.official:
        raise typer.Exit(1)


def lines(checked: WeightsCheck) -> list[str]:
    """What is found and what to do."""
    places = [f"  {'there  ' if there else 'missing'}  {place}" for place, there in checked.places.items()]
    return ["Inception weights for FID", *places, *state(checked.found)]


def state(found: Weights | NoWeights) -> list[str]:
    from vmsbench.metrics.distances.inception import OFFICIAL_SHA256, Weights

    if isinstance(found, Weights) and found.official:
        return [f"  sha256   {found.sha256}", "ok: these are the official weights; distances are called FID"]
    if isinstance(found, Weights):
        return [
            f"  sha256   {found.sha256}",
            f"not the official weights (sha256 {OFFICIAL_SHA256[:12]}...): distances are called",
            f"{found.name()}, never FID, and compare only with those of the same file",
            *carrying(),
        ]
    usable = [] if found.missing else [found.reason]
    return [*usable, "FID is n/a; every other score works. With fid=required nothing is trained.", *carrying()]


def carrying() -> list[str]:
    """How to get the file, and copy it to a cluster without internet."""
    from vmsbench.metrics.distances.inception import OFFICIAL_BYTES, OFFICIAL_FILE, OFFICIAL_SHA256, URL

    return [
        f"needed: {OFFICIAL_FILE}",
        f"        {OFFICIAL_BYTES:,} bytes, sha256 {OFFICIAL_SHA256}",
        "  1. on a machine with internet, download and verify it:",
        f"       curl -LO {URL}",
        f"       echo '{OFFICIAL_SHA256}  {OFFICIAL_FILE}' | sha256sum -c",
        "  2. to a disk that the compute nodes see:",
        f"       rsync -P {OFFICIAL_FILE} LOGIN-NODE:/PATH/hub/checkpoints/",
        "  3. there, in the job's environment:",
        "       export TORCH_HOME=/PATH       # or fid.weights=/PATH/hub/checkpoints/" + OFFICIAL_FILE[:12] + "...",
        "       vmsbench weights check",
    ]
