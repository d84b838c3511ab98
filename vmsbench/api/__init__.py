"""vmsbench from Python: what the commands do, as functions that return objects and print nothing.

The command line is a client of this package. `import vmsbench` gives the same names, imported when they are used.
"""

from vmsbench.api.evaluation import evaluate
from vmsbench.api.models import load
from vmsbench.api.plans import plan
from vmsbench.api.reports import report
from vmsbench.api.sweeps import final, rescore, resume, tune
from vmsbench.api.tracking import sync
from vmsbench.api.training import train

__all__ = ["evaluate", "final", "load", "plan", "report", "rescore", "resume", "sync", "train", "tune"]
