"""What `vmsbench doctor` says of Slurm."""

import re
import shutil

from vmsbench.launch.allocation import Allocation
from vmsbench.launch.launcher import ClusterHealth
from vmsbench.launch.slurm.allocation import on_login_node
from vmsbench.launch.slurm.commands import ask

SLURM = "Slurm"


def health(job: Allocation | None) -> ClusterHealth:
    """Whether sbatch is here and sinfo answers, and with which partitions.

    job   that this process is in
    """
    if shutil.which("sbatch") is None:
        return ClusterHealth(SLURM, False, "none here: launcher=slurm and slurm/*.sh need a cluster's login node")
    partitions = ask("sinfo", "--noheader", "--format=%P %a %D nodes", patience=10)
    if partitions is None:
        fix = "systemctl status munge slurmctld, or ask the site's help desk"
        return ClusterHealth(SLURM, False, "sbatch is here, but sinfo does not answer", fix)
    where = f"in job {job.job}" if job else "a login node" if on_login_node() else "a node of it"
    lines = [line for line in partitions.splitlines() if re.fullmatch(r"\S+ \S+ \d+ nodes", line.strip())]
    return ClusterHealth(SLURM, True, f"{where}; partitions: {'; '.join(lines[:6])}")
