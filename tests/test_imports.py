"""The walls between the parts: who may import whom, and what, read from the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: What every part may use, and what uses no part itself.
COMMON = {"common", "errors", "__version__"}

#: For each part the other parts it may import; a grant that nothing uses fails.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "common": set(),
    "assets": set(),
    "model": set(),
    "privacy": set(),
    "federation": set(),
    "phantoms": {"imaging", "model"},
    "imaging": {"model"},
    "evaluation": {"model", "privacy"},
    "applications": {"evaluation", "imaging", "model"},
    "client": {"federation", "imaging", "model", "privacy"},
    "config": {"client", "evaluation", "federation", "imaging", "model", "privacy"},
    "server": {"config", "federation", "model", "privacy"},
}
#: These put the parts together and see everything.
OPEN = {"cli", "simulation"}

#: Modules of a part that alone may use another part, and which of its modules; any where empty.
NARROW: dict[tuple[str, str], tuple[set[str], set[str]]] = {
    ("phantoms", "imaging"): (set(), {"writing"}),
    ("phantoms", "model"): (set(), {"conditions", "description", "example", "intensity", "planes"}),
    ("applications", "evaluation"): ({"generate"}, {"anatomy"}),
    ("evaluation", "privacy"): ({"canaries", "data_card", "examiners"}, set()),
    ("server", "privacy"): ({"dashboard", "joint"}, set()),
    ("config", "client"): (set(), {"settings"}),
    ("config", "evaluation"): (set(), {"settings", "measures"}),
    ("config", "federation"): (set(), {"about", "outlook", "wire"}),
    ("config", "imaging"): (set(), {"settings"}),
    ("config", "model"): (set(), {"settings"}),
    ("config", "privacy"): (set(), {"settings"}),
}

#: Outside packages that only the named folders may import.
RESERVED = {
    "flwr": {"client", "server", "simulation", "federation"},
    "fastapi": {"client/page", "common/local_page.py", "evaluation/readers", "server/dashboard"},
    "uvicorn": {"common/local_page.py"},
    "nibabel": {"imaging", "phantoms"},
    "trimesh": {"applications/mesh.py", "applications/surfaces"},
    "pydicom": {"imaging", "phantoms", "client/sources"},
    "highdicom": {"phantoms"},
    "typer": {"cli"},
    "filelock": {"common/locks.py"},
    "fcntl": {"common/locks.py"},
    "opacus": {"privacy"},
    "dp_accounting": {"privacy"},
    "dicomweb_client": {"client/sources"},
    "pynetdicom": {"client/sources"},
    "tomllib": {"common/toml_settings"},
}

#: Inside the site: who may import whom. Nobody imports the page, and only the page the daemon.
SITE_ROOMS = ("page", "evidence", "border", "steward", "answers", "workspace", "data")


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


def _between_parts(tree) -> list[tuple[str, Path, tuple[str, ...]]]:
    return [
        (part, file, name)
        for part, file, name in tree
        if part not in OPEN and name[0] == "fedscan" and len(name) > 1
        if name[1] not in {part} | COMMON
    ]


def test_parts_import_only_what_they_may(tree):
    wrong = [
        f"{file} imports {'.'.join(name)}"
        for part, file, name in _between_parts(tree)
        if name[1] not in ALLOWED[part]
    ]
    assert wrong == []


def test_every_grant_is_used(tree):
    used = {(part, name[1]) for part, _, name in _between_parts(tree)}
    granted = {(part, other) for part, others in ALLOWED.items() for other in others}
    assert granted - used == set()
    assert set(NARROW) - granted == set()


@pytest.mark.parametrize(("part", "target"), sorted(NARROW))
def test_some_parts_see_only_some_modules_of_others(tree, part, target):
    importers, targets = NARROW[part, target]
    seen = [(f, name) for importer, f, name in tree if (importer, name[1:2]) == (part, (target,))]
    wrong = [
        f"{file} imports {'.'.join(name)}"
        for file, name in seen
        if (importers and file.parts[1].removesuffix(".py") not in importers)
        or (targets and (len(name) < 3 or name[2] not in targets))
    ]
    assert wrong == []
    assert {name[2] for _, name in seen} >= targets, "a grant that nothing uses"


def test_libraries_stay_in_their_parts(tree):
    wrong = [
        f"{file} imports {'.'.join(name)}"
        for _, file, name in tree
        if name[0] in RESERVED and not any(file.is_relative_to(p) for p in RESERVED[name[0]])
    ]
    used = {
        (name[0], p)
        for _, file, name in tree
        for p in RESERVED.get(name[0], ())
        if file.is_relative_to(p)
    }
    assert wrong == []
    assert {(library, p) for library, parts in RESERVED.items() for p in parts} == used


def _graph(tree) -> dict[str, set[str]]:
    """Every module's imports of modules, as dotted names below the package."""
    known = {".".join(file.with_suffix("").parts) for _, file, _ in tree}
    known |= {".".join(file.parent.parts) for _, file, _ in tree if file.name == "__init__.py"}
    graph: dict[str, set[str]] = {}
    for _, file, name in tree:
        targets = graph.setdefault(".".join(file.with_suffix("").parts), set())
        for length in (len(name), len(name) - 1):
            if name[0] == "fedscan" and ".".join(name[1:length]) in known:
                targets.add(".".join(name[1:length]))
                break
    return graph


def test_no_imports_go_in_a_circle(tree):
    try:
        TopologicalSorter(_graph(tree)).prepare()
    except CycleError as circle:
        pytest.fail(" imports ".join(reversed(circle.args[1])))


def test_inside_the_site_imports_go_from_the_border_inwards(tree):
    wrong = []
    for part, file, name in tree:
        if part != "client" or name[:2] != ("fedscan", "client") or len(name) < 3:
            continue
        room, target = file.parts[1], name[2]
        if target == "daemon" and room not in ("daemon", "page"):
            wrong.append(f"{file} imports {'.'.join(name)}")
        if {room, target} <= set(SITE_ROOMS) and SITE_ROOMS.index(target) < SITE_ROOMS.index(room):
            wrong.append(f"{file} imports {'.'.join(name)}")
    assert wrong == []


def test_rooms_are_few_and_modules_small():
    rooms = {file.relative_to(ROOT).parts[0] for file in modules()}
    loose = {name for name in rooms if name.endswith(".py")}
    assert len(rooms - loose) <= 14
    assert len(loose) <= 2
    lengths = sorted((len(file.read_text("utf-8").splitlines()), file) for file in modules())
    assert lengths[-1][0] <= 300, lengths[-1]
    assert lengths[len(lengths) // 2][0] <= 125
    crowded = [
        folder.relative_to(ROOT)
        for folder in {file.parent for file in modules()}
        if len([file for file in folder.glob("*.py") if file.name != "__init__.py"]) > 25
    ]
    # A command a file, and the organs of a body that nobody needs to enter.
    assert set(crowded) <= {Path("cli"), Path("phantoms/parametric")}
