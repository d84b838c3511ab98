"""`python -m vmsbench` is `vmsbench`."""

from vmsbench.cli.app import main

main()
