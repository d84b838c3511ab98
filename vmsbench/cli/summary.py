"""What a finished sweep found, in lines."""

from pathlib import Path

from vmsbench.config.format import describe, short
from vmsbench.files import read_json, read_lines


def sweep_lines(folder: Path) -> list[str]:
    """What a finished sweep found, next to the map that ignores the image."""
    from vmsbench.search.searcher import key

    events = list(read_lines(folder / "journal.jsonl"))
    winner = next(event for event in reversed(events) if event["event"] == "winner")
    metric = read_json(folder / "sweep.json")["config"]["metric"]
    names = {
        (entry["param"], key(option["set"])): option["name"]
        for entry in read_json(folder / "sweep.json")["space"]
        for option in entry["values"]
        if isinstance(option, dict) and {"name", "set"} <= set(option)
    }
    choice = ", ".join(
        f"{short(param)}={names.get((param, key(value))) or describe(value)}"
        for param, value in winner["choice"].items()
    )
    lines = [
        f"{folder.name}: the best configuration is {choice}",
        f"  tuning {metric} {winner['score']:.4f} on the pairs it was chosen by (trial {winner['trial']})",
    ]
    failed = {event["trial"] for event in events if event["event"] == "finished" and event["state"] == "failed"}
    failed -= {event["trial"] for event in events if event["event"] == "finished" and event["state"] != "failed"}
    if failed:
        lines.append(f"  {len(failed)} trials failed and could not win; the same command with --retry tries them again")
    blind = read_json(folder / "baselines.json")["test"]["pixel_median"]
    finals = [event for event in events if event["event"] == "final"]
    for final in sorted(finals, key=lambda event: (event["rank"], event["seed"])):
        scores = final["scores"]
        lines.append(
            f"  test, rank {final['rank']}, seed {final['seed']}: {metric} {scores[metric]:.4f}, L1 {scores['l1']:.4f} "
            f"in [-1,1], {scores['l1_unit']:.4f} in [0,1]"
        )
    lines.append(f"  pixel median, blind to the image: L1 {blind['l1']:.4f} in [-1,1], {blind['l1_unit']:.4f} in [0,1]")
    return lines
