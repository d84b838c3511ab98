"""Why sbatch refuses a job, and the setting that changes it."""

from vmsbench.errors import UserError
from vmsbench.launch.launcher import NoAnswer, NotHere, Refused

ALL = "launcher.partition, account, gpus, gpu_form, memory, time, extra, forbidden"
GPUS = "--gpus, launcher.gpu_form (gpus-per-node, gres, gpus or none), launcher.gpu_type"
ACCOUNT = "launcher.account; `sacctmgr show associations user=$USER` lists yours"
LIMIT = "fewer jobs at once, or launcher.extra.qos"
HINTS = {
    "invalid account": ACCOUNT,
    "accounting/qos policy": LIMIT,
    "partition": "launcher.partition; `sinfo` lists all",
    "account": ACCOUNT,
    "time limit": "--time",
    "timelimit": "--time",
    "memory": "launcher.memory, launcher.memory_form",
    "gres": GPUS,
    "gpu": GPUS,
    "node count": "--nodes",
    "more processors": "--nodes, launcher.cpus, launcher.partition",
    "node configuration": "--nodes, --gpus, launcher.gpu_type, cpus, memory, partition",
    "qos": "launcher.extra.qos",
    "limit": LIMIT,
    "unrecognized option": "launcher.extra, or launcher.forbidden, the list of flags that this site does not accept",
    "reservation": "launcher.extra.reservation",
    "not found": "",
}
"""The settings to change, by words in Slurm's message; the first that is in it counts."""


def refusal(error: Exception) -> UserError:
    """Slurm's message, and the setting to change, by what Slurm itself says in it; NoAnswer where Slurm is away,
    NotHere where there is none."""
    words = " ".join(line.removeprefix("sbatch: ").strip() for line in str(error).splitlines() if line.strip())
    if isinstance(error, NotHere):
        return error
    if isinstance(error, NoAnswer):
        return NoAnswer(f"sbatch: {words}  (`squeue --me` shows whether it was submitted)")
    own = (error.own if isinstance(error, Refused) else words).lower()
    hint = next((hint for sign, hint in HINTS.items() if sign in own), ALL)
    return UserError(f"sbatch refused the job: {words}" + (f"  (to change: {hint})" if hint else ""))
