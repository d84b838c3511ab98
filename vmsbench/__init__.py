"""vmsbench: which model predicts, from a picture, what people will remember of it.

import vmsbench
result = vmsbench.train("unet", "data=standin", "preset=quick", epochs=3)
sweep = vmsbench.tune("gan", "data=standin", "preset=quick")
maps = vmsbench.load("gan").predict("photos/")
vmsbench.report("gan").open()

Nothing heavy is imported before the first of these is used. Threads that wait for each other sleep: OMP_WAIT_POLICY is
set to PASSIVE here, before torch reads it, where neither it nor GOMP_SPINCOUNT is set.
"""

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vmsbench.api import (
        ablate,
        add,
        bench,
        cancel,
        check_data,
        check_weights,
        demo,
        doctor,
        drill,
        ensemble,
        evaluate,
        export,
        extend,
        final,
        load,
        logs,
        pause,
        plan,
        predict,
        report,
        rescore,
        resume,
        simulate,
        site_settings,
        status,
        stop,
        survey_site,
        sync,
        tradeoff,
        train,
        tune,
        ui,
        why,
        write_site,
        write_standin,
    )

if "GOMP_SPINCOUNT" not in os.environ:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.2.0"
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


class FrontDoor(ModuleType):
    """`vmsbench.report` is the function, also once the package of that name is imported, which Python would put
    there."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = FrontDoor


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("vmsbench.api"), name)
    raise AttributeError(f"module 'vmsbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
