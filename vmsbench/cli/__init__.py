"""The command line: the only room that knows Typer, Hydra and the terminal."""
