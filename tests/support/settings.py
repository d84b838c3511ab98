"""Settings of conf/: experiments with each option, and the leaves of a tree."""

from typing import Any

from vmsbench.config.compose import choices_made
from vmsbench.config.plugins import options

EXPERIMENTS = options("exp")
CHOICES = [
    (exp, f"{choice}={option}")
    for exp in EXPERIMENTS
    for choice in choices_made(exp)
    if choice not in ("exp", "preset", "model") and not choice.startswith("optional")
    for option in options(choice.partition("@")[0])
]


def leaves(config: Any, path: str = "") -> list[str]:
    """Every dotted path, of mappings too."""
    if not isinstance(config, dict):
        return [path]
    inner = [found for name in config for found in leaves(config[name], f"{path}.{name}".lstrip("."))]
    return [*([path] if path else []), *inner]
