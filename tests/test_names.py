"""Names say what a thing is: no value is a bare participle, and no two classes share a name.

``kept`` says what was done, and not what is there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: The irregular ones by name. ``left``, ``cut``, ``split`` and ``bound`` are nouns here.
PARTICIPLE = re.compile(
    r"[a-z]+ed"
    r"|begun|broken|brought|built|caught|chosen|dealt|done|drawn|driven|eaten|fallen|felt"
    r"|forgotten|found|frozen|given|gone|got|grown|heard|held|hidden|hung|kept|known|laid"
    r"|lent|lost|made|meant|met|overwritten|paid|put|said|seen|sent|shown|sold|sought|spent"
    r"|spoken|struck|stuck|swept|swum|taken|taught|thought|told|torn|undone|unheard|unknown"
    r"|unseen|withdrawn|won|worn|wound|written"
)
#: End in "ed" and are nouns.
NOUNS = {"bed", "feed", "need", "red", "seed", "speed"}

#: Fields of files and of printed JSON keep their spelling; callbacks of progress are public.
EXCEPTIONS = {
    "approved": "client/daemon/overview.py",
    "declined": "client/daemon/overview.py",
    "done": "common/progress.py cli/progress.py cli/pretrain.py cli/pretrain_progress.py "
    "simulation/phantoms.py simulation/run.py",
    "failed": "client/sources/mirror.py",
    "fetched": "client/sources/mirror.py",
    "found": "evaluation/gate.py",
    "matched": "imaging/labels/source.py",
    "reached": "server/coordinator/studies.py",
    "removed": "client/sources/mirror.py",
    "revoked": "federation/pki/authority.py",
    "searched": "evaluation/measures/results.py",
    "unlisted": "imaging/writing/manifest.py",
    "unmatched": "imaging/labels/source.py",
}


def is_participle(name: str) -> bool:
    word = name.strip("_")
    return word not in NOUNS and PARTICIPLE.fullmatch(word) is not None


def values_of(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield name and line of all variables, attributes, parameters and properties but flags.

    A flag (annotated ``bool``, or set to ``True`` or ``False``) may be a participle: ``paused``
    says all that there is to say.
    """
    flags = {id(target) for node in ast.walk(tree) for target in _flags(node)}
    for node in ast.walk(tree):
        if id(node) in flags:
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef) and any(
            isinstance(one, ast.Name) and one.id.endswith("property") for one in node.decorator_list
        ):
            yield node.name, node.lineno


def _flags(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.AnnAssign) and _is_bool(node.annotation):
        return [node.target]
    if isinstance(node, ast.Assign) and isinstance(getattr(node.value, "value", None), bool):
        return [*node.targets]
    if isinstance(node, ast.arg) and _is_bool(node.annotation):
        return [node]
    if isinstance(node, ast.FunctionDef) and _is_bool(node.returns):
        return [node]
    return []


def _is_bool(annotation: ast.expr | None) -> bool:
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.slice, ast.Tuple):
        annotation = annotation.slice.elts[0]  # Annotated[bool, …]
    return isinstance(annotation, ast.Name) and annotation.id == "bool"


def package() -> Iterator[Path]:
    """Yield the files of the package and of its benchmarks and examples; not the tests."""
    for file in sorted(ROOT.rglob("*.py")):
        part = file.relative_to(ROOT).parts[0]
        if part in ("benchmarks", "examples") or (ROOT / part / "__init__.py").is_file():
            yield file


@pytest.fixture(scope="module")
def participles() -> set[tuple[str, str, int]]:
    """Name, file and line of every value that is named by a participle."""
    return {
        (name.strip("_"), str(file.relative_to(ROOT)), line)
        for file in package()
        for name, line in values_of(ast.parse(file.read_text(encoding="utf-8")))
        if is_participle(name)
    }


def test_no_value_is_named_by_a_bare_participle(participles):
    wrong = [
        f"{file}:{line}: {name}"
        for name, file, line in sorted(participles)
        if file not in EXCEPTIONS.get(name, "").split()
    ]
    assert wrong == [], "say what it holds: series_to_read, not kept"


def test_every_exception_is_needed(participles):
    excepted = {(name, file) for name, files in EXCEPTIONS.items() for file in files.split()}
    assert excepted == {(name, file) for name, file, _ in participles} & excepted


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("kept = [1]", {"kept"}),
        ("self._seen = {1}", {"_seen"}),
        ("def read(told): ...", {"told"}),
        ("class One:\n    fetched: int", {"fetched"}),
        ("class One:\n    @property\n    def cached(self): ...", {"cached"}),
        ("for found in files: ...", {"found"}),
        ("if said := read(): ...", {"said"}),
        ("class One:\n    retired: bool = False", set()),
        ("def read(*, compressed: bool): ...", set()),
        ("def read(*, doubled: Annotated[bool, Option()]): ...", set()),
        ("self._announced = False", set()),
        ("seed = 3\nseries_kept = 2\nleft, top = 1, 2", set()),
    ],
)
def test_flags_and_nouns_are_told_from_participles(code, names):
    assert {name for name, _ in values_of(ast.parse(code)) if is_participle(name)} == names


def test_no_two_classes_share_a_name():
    places: dict[str, list[str]] = {}
    for file in package():
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(file.relative_to(ROOT)))
    twins = {name: files for name, files in places.items() if len(files) > 1}
    # A saved generator names its pipeline's class, which is then the installed one.
    twins.pop("FedscanPipeline")
    assert twins == {}
