"""A tracker of one's own: a table of trials next to the sweep's folder."""

from pathlib import Path

from vmsbench.files import read_lines
from vmsbench.tracking.tracker import Tracker


class TableTracker(Tracker):
    """Writes RUNS/NAME.csv: a line for each trial that is over."""

    def __init__(self, separator: str = ",") -> None:
        self.separator, self.table = separator, Path()

    def sync(self, sweep: Path, alive: bool = True) -> None:
        journal = sweep / "journal.jsonl"
        events = list(read_lines(journal)) if journal.exists() else []
        over = [event for event in events if event["event"] == "finished"]
        rows = [("trial", "state", "score"), *((event["trial"], event["state"], event["score"]) for event in over)]
        self.table = sweep.with_suffix(".csv")
        self.table.write_text("".join(f"{self.separator.join(map(str, row))}\n" for row in rows))

    def link(self) -> str:
        return f"column -s{self.separator} -t {self.table}"
