"""The reference pages, made when the documentation is built: from --help, conf/ and the docstrings."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
WIDTH = 80


def on_files(files: Files, config: Any) -> Files:
    """Called by mkdocs with the existing pages; adds the reference."""
    for name, lines in {"commands": commands(), "settings": settings(), "python": python()}.items():
        files.append(File.generated(config, f"reference/{name}.md", content="\n".join(lines)))
    return files


def commands() -> Iterator[str]:
    import click
    from typer.main import get_command

    from vmsbench.cli.app import app

    yield "# Commands\n\nWhat `--help` says. Exit codes: 0 done, 1 not done, 2 an error that you can fix,"
    yield "75 stopped before the end and continued by the same command, 130 interrupted.\n"
    yield "`vmsbench --install-completion` makes the shell complete commands and options.\n"

    def walk(command: Any, name: str) -> Iterator[str]:
        if getattr(command, "hidden", False):
            return
        if inner := getattr(command, "commands", None):
            for key in sorted(inner):
                yield from walk(inner[key], f"{name} {key}")
            return
        with click.Context(command, info_name=name, max_content_width=WIDTH, terminal_width=WIDTH) as context:
            yield f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"

    yield from walk(get_command(app), "vmsbench")


def settings() -> Iterator[str]:
    yield "# Settings\n\n`group=option` chooses a file of conf/, `key=value` changes a value.\n"
    for folder in sorted(path for path in (ROOT / "conf").iterdir() if path.is_dir() and path.name[0] not in "_."):
        yield f"## {folder.name}\n"
        for file in sorted(folder.glob("*.yaml")):
            yield f"### {folder.name}={file.stem}\n\n```yaml\n{file.read_text().strip()}\n```\n"
    yield f"## Everything else\n\n```yaml\n{(ROOT / 'conf' / 'config.yaml').read_text().strip()}\n```\n"


def python() -> Iterator[str]:
    yield "# Python\n\nPublic names by package, lower packages first; a package imports only those before it.\n"
    for file in sorted((ROOT / "vmsbench").rglob("*.py")):
        tree = ast.parse(file.read_text())
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        if file.name.startswith("__") or ".cli." in f".{module}.":
            continue
        yield f"## {module}\n\n```text\n{ast.get_docstring(tree)}\n```\n"
        for node in tree.body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
                continue
            if told := ast.get_docstring(node):
                yield f"### {module.rpartition('.')[2]}.{node.name}\n\n```text\n{signature(node)}\n\n{told}\n```\n"


def signature(node: ast.ClassDef | ast.FunctionDef) -> str:
    if isinstance(node, ast.FunctionDef):
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        return f"{node.name}({ast.unparse(node.args)}){returns}"
    made = next((part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"), None)
    taken = ast.unparse(made.args).removeprefix("self").removeprefix(", ") if made else ""
    return f"class {node.name}({taken})"
