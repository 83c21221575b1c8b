"""The documentation leads somewhere: its links to files, its commands to what there is."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
import typer
from fedscan.cli.main import app
from fedscan.config.study import load_study

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
_LINK = re.compile(r"\]\(([^)#\s]+)")
_CODE = re.compile(r"`([a-z_][\w.-]*(?:/[\w.-]*)*(?:/|\.(?:py|toml)))`")
#: Pages whose names of folders are all of the tree.
_TREE = {"architecture.md", "CONTRIBUTING.md"}
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(fedscan [^`]+)`")
_PYTEST = re.compile(r"((?:\w+/)*test_\w+\.py)(?:::(\w+)(?:\[(\w+)\])?)?(?: -k (\w+))?")
#: What ends a command within a line of shell.
_ENDS = {"|", ">", "&&", "&", ";"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = [link for link in _LINK.findall(page.read_text("utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_that_is_named_is_there(page):
    missing = []
    for line in _FENCED.sub("", page.read_text("utf-8")).splitlines():
        named = [name for name in _CODE.findall(line) if is_of_the_tree(name, page.name)]
        # In one line a room is named without its part: "`client/`: its `border/`, …".
        rooms = [ROOT, page.parent, *(ROOT / name for name in named if (ROOT / name).is_dir())]
        rooms += [(ROOT / name).parent for name in named if (ROOT / name).is_file()]
        missing += [
            name
            for name in named
            if not any((room / name).exists() for room in rooms)
            and ("/" in name.rstrip("/") or not any(ROOT.glob(f"[a-z]*/**/{name}")))
        ]
    assert missing == []


def is_of_the_tree(name: str, page: str) -> bool:
    """Tell names of source files and of folders of the tree from those of what is made."""
    parts = {path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file()}
    return name.endswith(".py") or name.split("/")[0] in {*parts, "tests"} or page in _TREE


def test_readme_shows_the_two_commands_that_exist():
    text = (ROOT / "README.md").read_text("utf-8")
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    shown = re.findall(r"^make ([a-z]+)", text, re.MULTILINE)
    assert shown == ["demo", "test"]
    assert set(shown) <= set(targets)
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_their_options_exist(page):
    problems = []
    for words in commands(page.read_text("utf-8")):
        try:
            parse(words)
        except click.UsageError as error:
            problems.append(f"fedscan {shlex.join(words)}: {error.format_message()}")
    assert problems == []


def test_commands_are_found_and_wrong_ones_noticed():
    text = """
See `fedscan simulate --no-such 3` and `--epsilon`.

```sh
sudo -u fedscan /opt/bin/fedscan site init north \\
    --homely x     # a comment
fedscan generate run -n none && fedscan config --set privacy.epsilonn=4 > study.toml
```
"""
    found = list(commands(text))
    assert [words[0] for words in found] == ["simulate", "site", "generate", "config"]
    for words in found:
        with pytest.raises(click.UsageError):
            parse(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_that_are_named_exist(page):
    missing = []
    for file, function, value, keyword in _PYTEST.findall(page.read_text("utf-8")):
        # Some pages name a file without the folder that they are about.
        paths = [path for path in TESTS if path.as_posix().endswith(f"/{file}")]
        texts = [path.read_text("utf-8") for path in paths]
        names = {name for text in texts for name in re.findall(r"def (test_\w+)", text)}
        found = [name for name in names if (name == function if function else keyword in name)]
        if not (found if function or keyword else paths):
            missing.append(f"{file} {function or keyword}")
        if value and not any(f'"{value}"' in text for text in texts):
            missing.append(f"{file} {function}[{value}]")
    folders = re.findall(r"pytest (tests[\w/]*)[ `]", page.read_text("utf-8"))
    assert missing + [name for name in folders if not (ROOT / name).exists()] == []


def test_each_fault_names_whole_tests():
    """A part of a name (``-k``) finds other tests, or none, when one is added or renamed."""
    page = (ROOT / "docs" / "faults.md").read_text("utf-8")
    assert re.findall(r"`[^`]*(?: -k |… )[^`]*`", page) == []


@cache
def fedscan() -> click.Group:
    """Return the whole command line; it takes a while to make."""
    return typer.main.get_command(app)


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words behind each ``fedscan`` of a page's shell blocks and inline code."""
    lines = [inline.replace("\n", " ") for inline in _INLINE.findall(_FENCED.sub("", text))]
    for language, block in _FENCED.findall(text):
        if language in ("", "sh"):
            lines += block.replace("\\\n", " ").splitlines()
    root = set(fedscan().commands)
    for line in lines:
        if "fedscan" not in line:
            continue
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;>")
        lexer.whitespace_split = True
        words = list(lexer)
        for place, word in enumerate(words):
            after = words[place + 1 :]
            if Path(word).name == "fedscan" and after and (after[0] in root or place == 0):
                end = next((n for n, one in enumerate(after) if one in _ENDS), len(after))
                if not after[0].isupper() and after[0] != "--debug":
                    yield after[:end]


def parse(words: list[str]) -> None:
    """Read a command line as the command would, short of running it.

    Raises:
        click.UsageError: If a command, option, choice or setting does not exist, or a number is
            none or out of range. What stands for something else, such as ``…`` or ``NAME``,
            counts as right; arguments may be missing, for text names commands without them.
    """
    command, rest = fedscan(), list(words)
    while isinstance(command, click.Group) and rest and not _stands_for_something(rest[0]):
        if (found := command.commands.get(rest[0])) is None:
            raise click.UsageError(f"There is no command {rest[0]}.")
        command, rest = found, rest[1:]
    context = click.Context(command)
    if rest == ["--site"] or isinstance(command, click.Group):
        return
    try:
        given, _, _ = command.make_parser(context).parse_args(rest)
    except click.BadOptionUsage as error:
        if "requires an argument" not in error.message:  # "`site add-data --folder`" in a text
            raise
        return
    for parameter in command.get_params(context):
        value = given.get(parameter.name)
        many = value if isinstance(value, list | tuple) else [value]
        for one in many:
            if isinstance(one, str) and not _stands_for_something(one):
                _check(parameter, one, context)


def _check(parameter: click.Parameter, value: str, context: click.Context) -> None:
    if isinstance(parameter.type, click.Choice | click.types.IntParamType | click.FloatRange):
        parameter.type.convert(value, parameter, context)
    if parameter.name == "sets" and value != "section.key=value":
        try:
            load_study(overrides=[value])
        except Exception as error:
            raise click.UsageError(str(error)) from error


def _stands_for_something(word: str) -> bool:
    return "…" in word or re.fullmatch(r"[A-Z_]+", word) is not None


def test_the_site_leads_to_every_page():
    listed = (ROOT / "docs" / "site" / "mkdocs.yml").read_text("utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}
    assert pages - set(re.findall(r"[\w-]+\.md", listed)) == set()


def test_references_in_docstrings_are_of_kinds_that_the_site_shows():
    pattern = (ROOT / "docs" / "site" / "roles.py").read_text("utf-8")
    shown = re.search(r":\(\?:([a-z|]+)\):", pattern)
    assert shown is not None
    rooms = [path.parent for path in ROOT.glob("[a-z]*/__init__.py")]
    sources = [path for room in rooms for path in room.rglob("*.py")]
    kinds = re.findall(r":([a-z]+):`", "".join(path.read_text("utf-8") for path in sources))
    assert set(kinds) <= set(shown[1].split("|"))
    assert len(kinds) > 100


def shown_on_the_site(tmp_path: Path, source: str) -> dict[str, str]:
    """Return the docstrings of a module's functions as the site shows them."""
    griffe = pytest.importorskip("griffe")
    (tmp_path / "mine.py").write_text(source)
    extensions = griffe.load_extensions(str(ROOT / "docs" / "site" / "roles.py"))
    module = griffe.load("mine", search_paths=[tmp_path], extensions=extensions)
    return {name: one.docstring.value for name, one in module.members.items() if one.docstring}


def test_the_site_shows_a_reference_as_a_link_to_what_it_names(tmp_path):
    source = (
        "def undo():\n"
        '    """See :func:`make`, :class:`~fedscan.model.generator.Generator`, :data:`NONE`."""\n'
        "def make(): ...\n"
    )
    text = shown_on_the_site(tmp_path, source)["undo"]
    assert '<autoref identifier="mine.make" optional><code>make</code></autoref>' in text
    assert 'identifier="fedscan.model.generator.Generator" optional><code>Generator</code>' in text
    assert text.endswith(", `NONE`.")


def test_the_site_shows_an_example_as_code_and_not_as_links(tmp_path):
    source = (
        'def pair():\n    """Make two.\n\n    Raises:\n        KeyError: Never.\n\n'
        "    >>> import mine\n    >>> mine.pair()\n    ['a', 'b']\n\n    Nothing else.\n"
        '    """\n'
    )
    text = shown_on_the_site(tmp_path, source)["pair"]
    example = "```pycon\n>>> import mine\n>>> mine.pair()\n['a', 'b']\n```"
    assert text.endswith(f"KeyError: Never.\n\n{example}\n\nNothing else.")


#: `pip install` up to the end of its line, of the code span, or of the command.
_PIP = re.compile(r"pip install ([^`\n#&]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_install_lines_work_in_a_clone(page):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    for line in _PIP.findall(page.read_text("utf-8")):
        words = shlex.split(line)
        # Without the pins pip may fetch another torch; no index has fedscan.
        assert words[:2] == ["-c", "constraints.txt"], line
        what = words[-1]
        assert what == "torch" or what.startswith("."), line
        assert what in ("torch", ".") or what[2:-1] in extras, line


@pytest.mark.parametrize("guide", ["steward", "coordinator", "researcher"])
def test_each_guide_says_how_to_install(guide):
    text = (ROOT / "docs" / f"{guide}.md").read_text("utf-8")
    assert [line.split()[-1] for line in _PIP.findall(text)] == ["torch", "."]
