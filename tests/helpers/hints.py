"""What fedscan's source says to people: all of its texts, and what is given as a hint."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import typer.main
from fedscan.cli.main import app

ROOT = Path(__file__).parents[2]
#: All commands.
TREE = typer.main.get_command(app)
#: Stands for what a text puts in at run time.
VALUE = "VALUE"


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """Yield every source file of the package, parsed."""
    for file in sorted(ROOT.rglob("*.py")):
        place = file.relative_to(ROOT)
        if place.parts[0] not in ("tests", "benchmarks", "build") and place.parts[0][0] != ".":
            yield place, ast.parse(file.read_text(encoding="utf-8"))


def texts() -> Iterator[tuple[str, str]]:
    """Yield every text of the package's source with the file it is in, docstrings included."""
    for place, tree in sources():
        inside = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.JoinedStr)
            for part in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    part.value if isinstance(part, ast.Constant) else VALUE for part in node.values
                ]
                yield str(place), "".join(map(str, parts))
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in inside
            ):
                yield str(place), node.value


def hints() -> Iterator[tuple[str, str]]:
    """Yield what errors and findings advise: every text that may be given as a hint.

    That is what stands behind ``hint=``, what a parameter of that name is by default, and what is
    called a hint; where a variable or a function of the same module stands there, what it is.
    """
    for place, tree in sources():
        known = _named(tree)
        values = [
            keyword.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            for keyword in node.keywords
            if keyword.arg == "hint"
        ]
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                arguments = node.args
                pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
                values += [value for name, value in pairs if name.arg == "hint" and value]
        values += [value for name in known for value in known[name] if "HINT" in name.upper()]
        for value in values:
            yield str(place), " ".join(_pieces(value, known, set()))


def _named(tree: ast.Module) -> dict[str, list[ast.expr]]:
    """Return the values of a module's variables, and what its functions return, by name."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                found.setdefault(getattr(target, "id", ""), []).append(node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            found.setdefault(getattr(node.target, "id", ""), []).append(node.value)
        elif isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).extend(
                each.value
                for each in ast.walk(node)
                if isinstance(each, ast.Return) and each.value is not None
            )
    return found


def _pieces(value: ast.expr, known: dict[str, list[ast.expr]], done: set[str]) -> Iterator[str]:
    for part in ast.walk(value):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, ast.Name) and part.id not in done:
            for other in known.get(part.id, ()):
                yield from _pieces(other, known, done | {part.id})
