"""`python -m vmsbench` is `vmsbench`."""

from vmsbench.cli.commands import main

main()
