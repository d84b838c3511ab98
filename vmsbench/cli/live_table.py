"""A sweep as a live table in a terminal: running trials, the best so far, the time left."""

import math
import time
from pathlib import Path
from typing import Any

from vmsbench.config.format import assignment, assignments, duration, number
from vmsbench.data.sources.provenance import Provenance
from vmsbench.search.searcher import ParameterResult
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.sweep.progress_lines import Counting, described
from vmsbench.sweep.status import status
from vmsbench.sweep.trial import Trial, TrialResult

PAUSE = 5.0  # seconds between two reads of the sweep's folder


class LiveTable(Counting):
    """A live table: running trials, settled parameters, the best so far, the time left."""

    def __init__(self, folder: Path) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__(folder.name)
        self.folder, self.read_at, self.caption = folder, -math.inf, ""
        self.live = Live(console=Console(), auto_refresh=False, transient=True)
        self.live.start()

    def on_data_read(self, provenance: Provenance) -> None:
        for line in provenance.lines():
            self.live.console.print(line, highlight=False, markup=False, soft_wrap=line.startswith("read from "))

    def on_sweep_start(self, at_once: int, where: str) -> None:
        self.live.console.print(
            f"{self.name}: {at_once} trial{'s' * (at_once > 1)} at once on {where}", highlight=False
        )

    def on_epoch_end(self, trial: Trial, record: dict[str, Any]) -> None:
        super().on_epoch_end(trial, record)
        self.on_poll()

    def on_parameter_settled(self, settled: ParameterResult) -> None:
        super().on_parameter_settled(settled)
        found = assignment(settled.parameter, settled.value)
        self.read_at = -math.inf
        self.live.console.print(f"{self.name}: settled {found}  {number(settled.score)}", highlight=False)

    def on_trial_end(self, trial: Trial, outcome: TrialResult) -> None:
        super().on_trial_end(trial, outcome)
        if outcome.state == "failed":
            self.live.console.print(f"{self.name}: {trial.id} failed: {outcome.cause}", highlight=False)

    def on_poll(self) -> None:
        from rich.table import Table

        self.update()
        table = Table(
            title=f"{self.name}  {duration(time.monotonic() - self.since)}",
            caption=f"{self.counts()}{self.caption}",
            title_justify="left",
            caption_justify="left",
            expand=False,
        )
        table.add_column("trial", no_wrap=True)
        table.add_column("tries", overflow="ellipsis", max_width=34, no_wrap=True)
        table.add_column("epoch", justify="right", no_wrap=True)
        table.add_column("score then", justify="right", no_wrap=True)
        for standing in self.running.values():
            epochs = standing.trial.config["trainer"]["epochs"]
            place = (standing.trial.id, described(standing.trial), f"{standing.epoch}/{epochs}", number(standing.score))
            table.add_row(*place)
        self.live.update(table, refresh=True)

    def update(self) -> None:
        """Read from the folder, every few seconds: parameters settled, the best configuration, the time left."""
        if time.monotonic() - self.read_at < PAUSE or not SweepFolder(self.folder).begun:
            return
        now = status(self.folder)
        self.caption = f"; {sum(step.settled for step in now.parameters)} of {len(now.parameters)} parameters settled"
        if now.eta:
            self.caption += f"; at most {duration(now.eta)} to go"
        if now.incumbent:
            best = assignments(now.incumbent["parameters"])
            self.caption += f"\nbest: tuning {now.metric} {number(now.incumbent['score'])}  {best}"
        self.read_at = time.monotonic()

    def close(self) -> None:
        self.live.stop()
