"""Text is UTF-8 everywhere, whatever the locale says."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: At which place these take a text's encoding, if not by its name.
_PLACES = {"read_text": 0, "write_text": 1}
ROOT = Path(__file__).parents[1]
_LOCALES = [
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
]


def needs_encoding(call: ast.Call) -> bool:
    """Whether a call opens text without saying in which encoding."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if any(keyword.arg == "encoding" for keyword in call.keywords):
        return False
    if name in _PLACES:
        return len(call.args) <= _PLACES[name]
    modes = {one.value for one in call.args if isinstance(one, ast.Constant)}
    return name in ("FileHandler", "RotatingFileHandler") or (
        name == "open" and not modes.isdisjoint(("r", "w", "a", "x", "r+", "w+"))
    )


def test_every_file_of_text_is_opened_as_utf_8() -> None:
    rooms = [path.parent for path in ROOT.glob("[a-z]*/__init__.py")]  # not tests and benchmarks
    found = [
        f"{file}:{node.lineno}"
        for file in (*ROOT.glob("*.py"), *(one for room in rooms for one in room.rglob("*.py")))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and needs_encoding(node)
    ]
    assert found == []


@pytest.mark.parametrize("locale", _LOCALES, ids=["ASCII", "Latin-1"])
@pytest.mark.parametrize("words", [["--help"], ["config"], ["coordinator", "resume", "--help"]])
def test_the_command_line_prints_utf_8(locale: dict[str, str], words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from fedscan.cli.main import run; run()", *words],
        capture_output=True,
        env={**os.environ, **locale},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert done.stdout.decode("utf-8")


def test_an_error_with_letters_beyond_ascii_is_printed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from fedscan.cli.main import run; run()", "verify", "Bücher—日本"],
        capture_output=True,
        env={**os.environ, **_LOCALES[0]},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 7, done.stderr.decode("utf-8", "replace")
    assert "Traceback" not in done.stderr.decode("utf-8")
