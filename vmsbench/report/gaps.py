"""What a report lacks, and the command that fills it."""

import shlex

from vmsbench.config.families import families
from vmsbench.report import labels
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.records import Study, SweepGroup, SweepRecord


def missing(study: Study) -> list[str]:
    """A sentence per gap."""
    texts = []
    for group in study.groups:
        for sweep in group.sweeps:
            texts += search_gaps(sweep) + final_gaps(sweep)
        for sweep in group.ablated:
            texts += search_gaps(sweep)
        texts += distance_gaps(group) + group_gaps(group)
    return texts


def again(sweep: SweepRecord) -> str:
    """The command that made the sweep; giving it again continues."""
    return f"`{sweep.made_by}`"


def search_gaps(sweep: SweepRecord) -> list[str]:
    if not sweep.trials:
        return [f"`{sweep.name}` has no trials yet. The same command continues it: {again(sweep)}"]
    texts = []
    failed = [trial for trial in sweep.trials if trial.state == "failed"]
    if not sweep.winner:
        settled, open_steps = (sum(step.settled == kind for step in sweep.parameters) for kind in (True, False))
        texts.append(
            f"`{sweep.name}` has no winner yet: {settled} of {settled + open_steps} parameters are done (it is "
            f"running, or was interrupted). The same command continues it: {again(sweep)}"
        )
    if failed:
        first = failed[0]
        texts.append(
            f"`{sweep.name}`: {len(failed)} of {len(sweep.trials)} trials failed, the first, `{first.id}`, with: "
            f"{first.cause or 'unknown cause'}. Its log is `trials/{first.id}/log.txt`."
        )
    return texts


def cannot_be_known(group: SweepGroup) -> list[str]:
    """What older finals kept too little to say, a line for each sweep with the command that measures it."""
    return [unknown_of(sweep) for sweep in group.sweeps if sweep.scored and any(too_old(one) for one in sweep.scored)]


def too_old(final: FinalRecord) -> bool:
    """Whether it was scored by a version that compared distributions with the pixel median, or with nothing."""
    return not final.dressing and not final.calibration


def unknown_of(sweep: SweepRecord) -> str:
    sampled = any(final.samples > 1 for final in sweep.scored)
    kept = "one sample and the median of each image" if sampled else "the test images' answers alone"
    lost = "its skill in either track and its calibration" if sampled else "what its answers are as a distribution"
    return (
        f"`{sweep.name}` was scored by an older version and kept {kept}, so {lost} cannot be known. Scoring it again "
        f"from its weights, without training, measures that: `{sweep.on('final', '--rescore')}`"
    )


def final_gaps(sweep: SweepRecord) -> list[str]:
    texts = []
    if sweep.winner and not sweep.scored:
        texts.append(
            f"`{sweep.name}` has no test score: its best configuration has not been trained again yet. "
            f"Continue with: {again(sweep)}"
        )
    elif sweep.winner and (count := sum(not final.scores for final in sweep.finals)):
        texts.append(
            f"`{sweep.name}`: {count} of {len(sweep.finals)} finals are not done. Continue with: {again(sweep)}"
        )
    elif len(sweep.scored) == 1:
        texts.append(
            f"`{sweep.name}` has one final seed: the variation over seeds is unknown, so no standard deviation "
            f"is shown. "
            f"For more seeds: `{sweep.on('final', '--seeds 5')}`"
        )
    if not sweep.baselines.get("test"):
        texts.append(
            f"`{sweep.name}` has no baselines on the test set (`baselines.json`). Compute them with: {again(sweep)}"
        )
    return texts


def distance_gaps(group: SweepGroup) -> list[str]:
    """Why there is no FID, once for all sweeps that lack it for the same reason."""
    lacking: dict[str, list[SweepRecord]] = {}
    for sweep in group.sweeps:
        reasons = {str(final.fid.get("reason")) for final in sweep.scored if final.fid.get("value") is None}
        for reason in sorted(reasons):
            lacking.setdefault("it was not computed" if reason == "None" else reason, []).append(sweep)
    return [
        f"No FID for {labels.listing(f'`{sweep.name}`' for sweep in sweeps)}: {reason}. Once the weights are there, "
        f"{labels.listing('`' + sweep.on('final') + '`' for sweep in sweeps)} {'add' if len(sweeps) > 1 else 'adds'} "
        "it without training again."
        for reason, sweeps in lacking.items()
    ]


def data_words_of(group: SweepGroup) -> str:
    """What a command on these data says after its name, a space before each: the folder of runs where it is not the
    default, the data settings of the command of a sweep on them, and its preset, which may set some."""
    try:
        words = shlex.split(group.all[0].command)
    except ValueError:
        words = []
    settings = [word for word in words if word.startswith(("data=", "data.", "preset="))]
    return group.place + "".join(f" {shlex.quote(word)}" for word in settings)


def group_gaps(group: SweepGroup) -> list[str]:
    """What other sweeps, on the same data, would fill: families, ablations, and what samples and steps are worth."""
    data, there = data_words_of(group), {sweep.exp for sweep in group.sweeps}
    texts = [
        f"No {family.name} on these data ({group.data.title}). Make one with: `vmsbench tune --exp {exp}{data}`"
        for exp, family in families().items()
        if exp not in there
    ]
    exp = group.all[0].exp
    ablated = {str(sweep.space[0]["param"]) for sweep in group.ablated}
    texts += [
        f"No ablation of {what}. Make one with: `vmsbench ablate {what} --exp {exp}{data}`"
        for what in ("augment", "target")
        if what not in ablated
    ]
    return texts + [
        f"`{sweep.name}`: the effect of more samples and sampling steps has not been measured. Measure it with: "
        f"`{sweep.on('tradeoff')}`"
        for sweep in group.sweeps
        if sweep.sampling_steps and sweep.scored and not sweep.tradeoff
    ]
