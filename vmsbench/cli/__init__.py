"""The command line: the only package that uses Typer and the terminal."""
