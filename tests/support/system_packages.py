"""Debian's packages that tests need next to Python, git and make.

    make system-packages                                # prints what it installs, and asks nothing; as root
    python3 -m tests.support.system_packages --print    # prints alone

Tests start every server themselves, with settings of their own: of the services that Debian may start on installing
(munge, mariadb, slurmctld, slurmd, slurmdbd) none has to run.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

from tests.slurm.lab import ACCOUNTING, COMMANDS, PBS, SEARCHED
from tests.support.browser import chromium

APT = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
INSTALL = "apt-get install --no-install-recommends"
LATEX = ["texlive-latex-base", "texlive-latex-recommended"]


def has(command: str) -> bool:
    return shutil.which(command, path=SEARCHED) is not None


def has_booktabs() -> bool:
    asked = ["kpsewhich", "booktabs.sty"]
    return has("pdflatex") and has("kpsewhich") and not subprocess.run(asked, capture_output=True).returncode


SINGLE = COMMANDS | PBS | ACCOUNTING | {
    "mount": "mount", "cc": "gcc libc6-dev", "openssl": "openssl", "ps": "procps", "setpriv": "util-linux",
    "podman": "podman",
}  # fmt: skip
NEEDS: list[tuple[Callable[[], bool], list[str]]] = [
    *((lambda command=command: has(command), packages.split()) for command, packages in SINGLE.items()),
    (lambda: chromium() is not None, ["chromium"]),
    (has_booktabs, LATEX),
]


def missing() -> list[str]:
    """The packages that are not installed here."""
    return sorted({package for there, packages in NEEDS if not there() for package in packages})


def main() -> int:
    """Install what is missing; 1 where it cannot be, 0 otherwise."""
    packages = missing()
    if not packages:
        print("every system package that the tests need is installed")
        return 0
    print(f"tests need {len(packages)} more system packages:\n  {INSTALL} {' '.join(packages)}", flush=True)
    if "--print" in sys.argv:
        return 0
    if os.geteuid() != 0 or not has("apt-get"):
        needed = "root: sudo make system-packages" if has("apt-get") else "apt-get, of Debian or Ubuntu"
        print(f"error: not installed, this needs {needed}", file=sys.stderr)
        return 1
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in ([*APT, "update", "-qq"], [*APT, "install", "-y", "-qq", "--no-install-recommends", *packages]):
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if done.returncode:
            print(f"error: `{' '.join(command)}` failed, see above", file=sys.stderr)
            return 1
    if left := missing():
        print(f"error: installed, and still not found: {' '.join(left)}", file=sys.stderr)
    return bool(left)


if __name__ == "__main__":
    sys.exit(main())
