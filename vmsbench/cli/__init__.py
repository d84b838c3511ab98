"""The command line: the only package that uses Typer and the terminal."""

import os
import sys

if not os.path.isfile(__file__):
    print("error: vmsbench does not run from a zip archive (zipapp, shiv, pex): install it by pip", file=sys.stderr)
    raise SystemExit(2)
