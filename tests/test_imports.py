"""The walls between the parts: who may import whom, and what, read from the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: Small tools that every part may use, and that use no part themselves.
COMMON = {"errors", "files", "__version__"}

#: For each part the other parts it may import.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "files": set(),
    "assets": set(),
    "protocol": {"wire"},
    "wire": set(),
    "page": set(),
    "bundle": {"protocol"},
    "invitation": {"protocol"},
    "pki": set(),
    "signing": set(),
    "supervision": set(),
    "audit": set(),
    "diagnosis": {"pki"},
    "model": {"assets"},
    "privacy": set(),
    "phantoms": {"model"},
    "client": {
        "model",
        "privacy",
        "protocol",
        "bundle",
        "invitation",
        "pki",
        "supervision",
        "audit",
        "wire",
        "diagnosis",
    },
    "server": {
        "config",
        "model",
        "privacy",
        "protocol",
        "bundle",
        "invitation",
        "pki",
        "supervision",
        "audit",
        "signing",
        "wire",
        "page",
        "diagnosis",
    },
    "evaluation": {"model"},
    "examination": {"evaluation", "model", "privacy"},
    "outputs": {"model", "signing"},
    "surfaces": {"inputs", "model"},
    "inputs": {"client", "model"},
    "restoration": {"model"},
    "translation": {"model"},
    "readers": {"evaluation", "examination", "model", "page"},
    "report": {"evaluation", "examination"},
    "config": {"client", "evaluation", "examination", "model", "privacy", "server"},
}
#: These put the parts together and see everything.
OPEN = {"cli", "simulation"}

#: Parts that see only some modules: of which part (any, if empty), and which.
NARROW = {
    "phantoms": ("model", {"conditions", "intensity", "description", "example"}),
    "report": ("", {"results", "section"}),
    "config": ("", {"settings"}),
}

#: Outside packages that only the named parts may import.
RESERVED = {
    "flwr": {"client", "server", "simulation", "protocol"},
    "ray": {"simulation"},
    "fastapi": {"page", "readers", "server"},
    "uvicorn": {"page"},
    "nibabel": {"inputs", "outputs", "phantoms"},
    "trimesh": {"surfaces"},
    "pydicom": {"client", "outputs", "phantoms"},
    "highdicom": {"client", "phantoms"},
    "typer": {"cli"},
    "opacus": {"privacy"},
    "dp_accounting": {"privacy"},
    "dicomweb_client": {"client"},
    "pynetdicom": {"client"},
}


def modules() -> list[Path]:
    """Return the package's own Python files; not tests, benchmarks and saved generators."""
    parts = [*ALLOWED, *OPEN]
    files = [file for part in parts if (file := ROOT / f"{part}.py").is_file()]
    files += [file for part in parts for file in (ROOT / part).rglob("*.py")]
    return sorted(file for file in files if (file.parent / "__init__.py").is_file())


def imports(file: Path) -> Iterator[tuple[str, ...]]:
    """Yield what a file imports: ``("fedscan", part, module…)`` or ``(package, …)``."""
    package = file.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                up = node.level - 1
                base = ("fedscan", *package[: len(package) - up], *base)
            # `from ..model import example` may name a module: keep the names too.
            yield from ((*base, alias.name) for alias in node.names)


@pytest.fixture(scope="module")
def tree() -> list[tuple[str, Path, tuple[str, ...]]]:
    """Every import as (part, file, what)."""
    found = []
    for file in modules():
        part = file.relative_to(ROOT).parts[0].removesuffix(".py")
        found += [(part, file.relative_to(ROOT), name) for name in imports(file)]
    return found


def test_every_part_is_known():
    unknown = {
        path.name.removesuffix(".py")
        for path in ROOT.iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").is_file()) and path.name[0] not in "._"
    } - {*ALLOWED, *OPEN}
    assert unknown == set(), "add the part to ALLOWED and to docs/architecture.md"


def test_the_architecture_page_has_one_row_for_each_part():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z_]+)(?:/|\.py)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted({*ALLOWED, *OPEN})


def test_the_package_imports_itself_relatively():
    absolute = [
        file
        for file in modules()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and not node.level and node.module == "fedscan")
        or (
            isinstance(node, (ast.Import, ast.ImportFrom))
            and any(name.startswith("fedscan.") for name in _absolute_names(node))
        )
    ]
    assert absolute == []


def _absolute_names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if node.module and not node.level else []


def test_parts_import_only_what_they_may(tree):
    wrong = []
    for part, file, name in tree:
        if part in OPEN or name[0] != "fedscan" or len(name) < 2:
            continue
        target = name[1]
        if target not in {part} | COMMON | ALLOWED[part]:
            wrong.append(f"{file} imports {'.'.join(name)}")
    assert wrong == []


@pytest.mark.parametrize("part", sorted(NARROW))
def test_some_parts_see_only_some_modules_of_others(tree, part):
    target, modules = NARROW[part]
    wrong = [
        f"{file} imports {'.'.join(name)}"
        for importer, file, name in tree
        if importer == part and name[0] == "fedscan" and name[1] not in {part} | COMMON
        if (target and name[1] != target) or len(name) < 3 or name[2] not in modules
    ]
    assert wrong == []


def test_libraries_stay_in_their_parts(tree):
    wrong = [
        f"{file} imports {'.'.join(name)}"
        for part, file, name in tree
        if name[0] in RESERVED and part not in RESERVED[name[0]]
    ]
    assert wrong == []
