"""vmsbench from Python: what the commands do, as functions that return objects; long ones print a line for each event.

The command line is a client of this package. `import vmsbench` gives the same names. Each is imported when it is used,
so that what needs no torch does not wait for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vmsbench.api.cluster.job_control import cancel, drill, logs
    from vmsbench.api.cluster.sites import site_settings, survey_site, write_site
    from vmsbench.api.demonstration import demo
    from vmsbench.api.ensembles import ensemble
    from vmsbench.api.evaluation import evaluate
    from vmsbench.api.models import load
    from vmsbench.api.plans import plan
    from vmsbench.api.predictions import export, predict, tradeoff
    from vmsbench.api.reports import report
    from vmsbench.api.states import status, why
    from vmsbench.api.steering import add, extend, pause, stop
    from vmsbench.api.sweeps import ablate, final, rescore, resume, tune
    from vmsbench.api.toolkit.benchmarks import bench, simulate
    from vmsbench.api.toolkit.datasets import check_data, write_standin
    from vmsbench.api.toolkit.doctor import doctor
    from vmsbench.api.toolkit.weights import check_weights
    from vmsbench.api.tracking import sync, ui
    from vmsbench.api.training import train

PLACES = {
    "cluster.job_control": ("cancel", "drill", "logs"),
    "cluster.sites": ("site_settings", "survey_site", "write_site"),
    "demonstration": ("demo",),
    "ensembles": ("ensemble",),
    "evaluation": ("evaluate",),
    "models": ("load",),
    "plans": ("plan",),
    "predictions": ("export", "predict", "tradeoff"),
    "reports": ("report",),
    "states": ("status", "why"),
    "steering": ("add", "extend", "pause", "stop"),
    "sweeps": ("ablate", "final", "rescore", "resume", "tune"),
    "toolkit.benchmarks": ("bench", "simulate"),
    "toolkit.datasets": ("check_data", "write_standin"),
    "toolkit.doctor": ("doctor",),
    "toolkit.weights": ("check_weights",),
    "tracking": ("sync", "ui"),
    "training": ("train",),
}
"""The functions, by the module that holds them."""

__all__ = [
    "ablate",
    "add",
    "bench",
    "cancel",
    "check_data",
    "check_weights",
    "demo",
    "doctor",
    "drill",
    "ensemble",
    "evaluate",
    "export",
    "extend",
    "final",
    "load",
    "logs",
    "pause",
    "plan",
    "predict",
    "report",
    "rescore",
    "resume",
    "simulate",
    "site_settings",
    "status",
    "stop",
    "survey_site",
    "sync",
    "tradeoff",
    "train",
    "tune",
    "ui",
    "why",
    "write_site",
    "write_standin",
]


def __getattr__(name: str) -> Any:
    for module, functions in PLACES.items():
        if name in functions:
            return getattr(import_module(f"vmsbench.api.{module}"), name)
    raise AttributeError(f"module 'vmsbench.api' has no attribute {name!r}")
