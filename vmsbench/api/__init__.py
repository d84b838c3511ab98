"""vmsbench from Python: what the commands do, as functions that return objects and print nothing.

The command line is a client of this package. `import vmsbench` gives the same names. Each is imported when it is used,
so that what needs no torch does not wait for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vmsbench.api.demonstration import demo
    from vmsbench.api.evaluation import evaluate
    from vmsbench.api.installation import doctor
    from vmsbench.api.job_control import cancel, logs
    from vmsbench.api.models import load
    from vmsbench.api.plans import plan
    from vmsbench.api.predictions import export, predict, tradeoff
    from vmsbench.api.reports import report
    from vmsbench.api.states import status, why
    from vmsbench.api.sweeps import ablate, final, rescore, resume, tune
    from vmsbench.api.tracking import sync
    from vmsbench.api.training import train

PLACES = {
    "demonstration": ("demo",),
    "evaluation": ("evaluate",),
    "installation": ("doctor",),
    "job_control": ("cancel", "logs"),
    "models": ("load",),
    "plans": ("plan",),
    "predictions": ("export", "predict", "tradeoff"),
    "reports": ("report",),
    "states": ("status", "why"),
    "sweeps": ("ablate", "final", "rescore", "resume", "tune"),
    "tracking": ("sync",),
    "training": ("train",),
}
"""The functions, by the module that holds them."""

__all__ = [
    "ablate",
    "cancel",
    "demo",
    "doctor",
    "evaluate",
    "export",
    "final",
    "load",
    "logs",
    "plan",
    "predict",
    "report",
    "rescore",
    "resume",
    "status",
    "sync",
    "tradeoff",
    "train",
    "tune",
    "why",
]


def __getattr__(name: str) -> Any:
    for module, functions in PLACES.items():
        if name in functions:
            return getattr(import_module(f"vmsbench.api.{module}"), name)
    raise AttributeError(f"module 'vmsbench.api' has no attribute {name!r}")
