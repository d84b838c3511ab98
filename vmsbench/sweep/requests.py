"""Steering of a sweep while it runs: commands leave requests in its folder, and the process that owns it follows them.

    runs/NAME/requests/ID.json    a request that its owner has not read yet

Only the owner writes the journal: it notes each request there before it follows it, and removes the file after. So a
sweep that is killed in between follows the request when it starts again.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vmsbench.config.commands import command_on
from vmsbench.config.format import describe
from vmsbench.config.instantiate import find
from vmsbench.errors import ConfigurationError, UserError, did_you_mean
from vmsbench.search.configured import space_of
from vmsbench.search.searcher import Searcher
from vmsbench.store.journal import Journal
from vmsbench.store.lock import living_owner
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.sweep.budget import grown, largest

STOPPED = "stopped by the user"
"""The cause of a trial that `vmsbench stop` ended."""

ENDS_AND_STARTS = ("started", "resumed", "finished")
PAUSE = 0.5
"""Seconds between two reads of requests."""


def request(folder: Path, what: str, **facts: Any) -> None:
    """Leave a request for the process that owns the sweep in `folder`. Raises UserError where none does."""
    if living_owner(folder) is None:
        raise UserError(f"{folder.name} is not running; `{command_on('resume', folder)}` continues it")
    SweepFolder(folder).write_request({"what": what, **facts})


def request_stop(folder: Path, trial: str) -> str:
    """Ask for the end of the trial whose name begins so; returns its name.

    Raises UserError where the sweep has no such trial, more than one, or the trial is over.
    """
    last = {event["trial"]: event for event in Journal(folder).events() if event["event"] in ENDS_AND_STARTS}
    running = [name for name, event in last.items() if event["event"] != "finished"]
    fitting = [name for name in last if name.startswith(trial)]
    if len(fitting) != 1 or fitting[0] not in running:
        what = "is over" if len(fitting) == 1 else "could be several" if fitting else "names none of its trials"
        raise UserError(f"{folder.name}: {trial or 'an empty name'} {what}; running: {', '.join(running) or 'none'}")
    request(folder, "stop", trial=fitting[0])
    return fitting[0]


def request_budget(folder: Path, text: str) -> None:
    """Ask for a larger budget. Raises UserError where the sweep has none, or not a smaller one in the same unit."""
    now = SweepFolder(folder).about()["settings"]["budget"]
    for event in Journal(folder).events():
        now = event.get("budget", now) if event["event"] == "session" else now
    grown(now and largest(now, (one["budget"] for one in asked(folder, "budget"))), text)
    request(folder, "budget", budget=text)


def asked(folder: Path, what: str) -> list[dict[str, Any]]:
    """What was asked for of that kind: noted in the journal, or not read by its owner yet."""
    waiting = list(SweepFolder(folder).requests())  # first: its owner notes a request before it removes the file
    noted = (event for event in Journal(folder).events() if event["event"] == "steered")
    return [one for one in (*noted, *waiting) if one["what"] == what]


def request_option(folder: Path, param: str, value: Any) -> None:
    """Ask for one more option of a parameter of a coordinate search.

    Raises UserError where the search takes none, the parameter is settled, a range or none of the space, or the option
    cannot work.
    """
    from vmsbench.data.pairs import CHANNELS
    from vmsbench.training.checks import check

    about = SweepFolder(folder).about()
    space = space_of(about["space"], about["config"])
    names = [one.param for one in space]
    if find(about["searcher"]["_target_"], "searcher").add_option is Searcher.add_option:
        raise ConfigurationError(f"{folder.name} is not a coordinate search; only that takes further options")
    if param not in names:
        raise ConfigurationError(f"{param} is not a parameter of {folder.name}{did_you_mean(param, names)}")
    parameter = space.parameters[names.index(param)]
    if parameter.range is not None or parameter.joint:
        raise ConfigurationError(f"{param} has no list of single values in {folder.name}, which could be longer")
    if is_over(folder, names, param, about["searcher"].get("rounds", 1)):
        raise UserError(f"{param} is settled in {folder.name}; a new sweep tries further options")
    for one in asked(folder, "option"):
        if not space.has_option(one["parameter"], one["value"]):
            space = space.with_option(one["parameter"], one["value"])
    data = about["dataset"]
    try:
        wider = space.with_option(param, value)
        added = wider.parameters[names.index(param)]
        check(
            wider.config(wider.example(added, added.values[-1])), CHANNELS[data["coding"]], data["size"], data["train"]
        )
    except (UserError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{param}={describe(value)} does not work: {error}") from error
    request(folder, "option", parameter=param, value=added.values[-1])


def is_over(folder: Path, names: Sequence[str], param: str, rounds: int) -> bool:
    """Whether a coordinate search of so many rounds over `names` varies a parameter no more."""
    kinds = ("started", "resumed", "settled", "winner")
    events = [event for event in Journal(folder).events() if event["event"] in kinds]
    settled = [(one.get("round", 1), names.index(one["parameter"])) for one in events if one["event"] == "settled"]
    finished = bool(events) and events[-1]["event"] == "winner"
    return finished or (rounds, names.index(param)) <= (settled[-1] if settled else (0, 0))


def ignore(event: Mapping[str, Any]) -> None:
    """Does nothing."""


class Steering:
    """What was asked for of a sweep so far: in earlier starts, by the journal, and since.

    stopped   trials that are to end
    paused    whether the sweep is to leave its slots; over with the interruption that follows
    budgets   that were asked for
    on_new    is called with each request once it is in the journal
    """

    def __init__(self, journal: Journal, on_new: Callable[[Mapping[str, Any]], None] = ignore) -> None:
        self.journal, self.folder, self.on_new = journal, SweepFolder(journal.path.parent), on_new
        self.stopped: set[str] = set()
        self.paused, self.read_at = False, 0.0
        self.budgets: list[str] = []
        self.known: set[str] = set()
        for event in journal.events():
            self.follow(event)

    def follow(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "interrupted":
            self.paused = False
        if event["event"] != "steered":
            return
        self.known.add(event["request"])
        if event["what"] == "stop":
            self.stopped.add(event["trial"])
        self.paused = self.paused or event["what"] == "pause"
        if event["what"] == "budget":
            self.budgets.append(event["budget"])

    def update(self) -> None:
        """Note new requests in the journal, and follow them; every PAUSE seconds at most."""
        if time.monotonic() - self.read_at < PAUSE:
            return
        self.read_at = time.monotonic()
        for found in self.folder.requests():
            if found["request"] not in self.known:
                self.journal.write("steered", **found)
                self.follow({"event": "steered", **found})
                self.on_new(found)
            self.folder.remove_request(found["request"])

    @property
    def halted(self) -> str | None:
        """Why nothing more is to be run; None where it goes on."""
        self.update()
        return f"paused by the user; `{command_on('resume', self.folder.path)}` continues" if self.paused else None

    def stop_reason(self, trial: str) -> str | None:
        self.update()
        return STOPPED if trial in self.stopped else None
