"""What a report lacks, and the command that fills it."""

import shlex

from vmsbench.reporting.study import FAMILIES, Group, Study, Sweep


def missing(study: Study) -> list[str]:
    """A sentence per gap."""
    texts = []
    for group in study.groups:
        for sweep in group.sweeps:
            texts += search_gaps(sweep) + final_gaps(sweep)
        texts += group_gaps(group)
    return texts


def again(sweep: Sweep) -> str:
    """The command that made the sweep; giving it again continues."""
    return f"`{sweep.command or f'vmsbench tune --exp {sweep.exp} --name {sweep.name}'}`"


def search_gaps(sweep: Sweep) -> list[str]:
    if not sweep.trials:
        return [f"`{sweep.name}` has no trials yet. The same command continues it: {again(sweep)}"]
    texts = []
    failed = [trial for trial in sweep.trials if trial.outcome == "failed"]
    if not sweep.winner:
        settled, open_steps = (sum(step.settled == kind for step in sweep.walk) for kind in (True, False))
        texts.append(
            f"`{sweep.name}` has no winner yet: {settled} of {settled + open_steps} coordinates are settled (it is "
            f"running, or was interrupted). The same command continues it: {again(sweep)}"
        )
    if failed:
        first = failed[0]
        texts.append(
            f"`{sweep.name}`: {len(failed)} of {len(sweep.trials)} trials failed, the first, `{first.id}`, with: "
            f"{first.cause or 'no cause given'}. Its log is `trials/{first.id}/log.txt`."
        )
    return texts


def final_gaps(sweep: Sweep) -> list[str]:
    texts = []
    if sweep.winner and not sweep.scored:
        texts.append(
            f"`{sweep.name}` has no test score: its winner was not trained again yet. Continue with: {again(sweep)}"
        )
    elif sweep.winner and (count := sum(not final.scores for final in sweep.finals)):
        texts.append(
            f"`{sweep.name}`: {count} of {len(sweep.finals)} finals are not done. Continue with: {again(sweep)}"
        )
    elif len(sweep.scored) == 1:
        texts.append(f"`{sweep.name}` has one final seed: how much seeds differ is unknown, so no spread is shown.")
    if not sweep.baselines.get("test"):
        texts.append(
            f"`{sweep.name}` has no baselines on the test set (`baselines.json`). They come with: {again(sweep)}"
        )
    reasons = {str(final.fid.get("reason")) for final in sweep.scored if final.fid and final.fid.get("value") is None}
    texts += [f"`{sweep.name}` has no FID: {reason}." for reason in sorted(reasons)]
    texts += (
        [f"`{sweep.name}` has finals that never looked for FID."]
        if any(not final.fid for final in sweep.scored)
        else []
    )
    return texts


def group_gaps(group: Group) -> list[str]:
    """Families that were not tuned on these data, with the data settings of a sweep that was."""
    model = group.sweeps[0]
    try:
        words = shlex.split(model.command)
    except ValueError:
        words = []
    data = [shlex.quote(word) for word in words if word.startswith(("data=", "data."))]
    return [
        f"No {FAMILIES[exp]} on these data ({group.data.title}). Make one with: "
        f"`{' '.join(['vmsbench tune --exp', exp, *data])}`"
        for exp in FAMILIES
        if all(sweep.exp != exp for sweep in group.sweeps)
    ]
