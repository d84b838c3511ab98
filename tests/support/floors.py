"""The floors of the house: each imports from those below it."""

FLOORS = [
    {"accelerators", "errors", "files", "processes", "signals", "versions"},
    {"config", "data", "networks"},
    {"models"},
    {"metrics"},
    {"store"},
    {"training"},
    {"experiment"},
    {"inference"},
    {"search"},
    {"sweep"},
    {"launch", "tracking", "report"},
    {"ray_backend"},
    {"bench", "testing"},
    {"api"},
    {"cli"},
]
