"""What mkdocs does besides: README as the first page, a page for each module, checked links."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"(!?\[[^\]]*\])\(([^)#\s]+)(#[^)\s]*)?\)")
#: The theme lets no cell of a table wrap, so wide tables would be cut off.
_STYLE = ".wy-table-responsive table td, .wy-table-responsive table th { white-space: normal }\n"
#: Of `tests/`, `benchmarks/` and the saved base there is no reference.
_LEFT_OUT = {"tests", "benchmarks", "assets", "docs", "build", "demo", "examples"}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that do not lie in docs/."""
    readme = (ROOT / "README.md").read_text("utf-8").replace("](docs/", "](")
    files.append(File.generated(config, "index.md", content=readme))
    for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"):
        text = (ROOT / name).read_text("utf-8").replace("](docs/", "](")
        files.append(File.generated(config, name, content=text))
    files.append(File.generated(config, "site.css", content=_STYLE))
    parts: dict[str, list[str]] = {}
    for module in _modules():
        files.append(File.generated(config, f"api/{module}.md", content=f"::: {module}\n"))
        parts.setdefault(module.split(".")[1], []).append(module)
    lines = ["# API", "", "Every module, from its docstrings."]
    for part, names in sorted(parts.items()):
        lines += ["", f"## {part}", "", *(f"- [{name}]({name}.md)" for name in names)]
    files.append(File.generated(config, "api/index.md", content="\n".join(lines)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Check links that lead out of docs/, and show them as paths in the repository."""

    def replaced(match: re.Match[str]) -> str:
        label, target, _ = match.groups()
        if "://" in target:
            return match[0]
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.src_uri), target))
        if files.get_file_from_path(inside) is not None:
            return match[0]
        in_repository = ROOT / ("docs" if inside.startswith("..") else "") / inside
        if not in_repository.exists():
            raise PluginError(f"{page.file.src_uri}: the link {target} leads nowhere")
        path = in_repository.resolve().relative_to(ROOT).as_posix()
        text = label.lstrip("!")[1:-1]
        return f"{text} (`{path}`)" if text.strip("`/") != path else f"`{path}`"

    return _LINK.sub(replaced, markdown)


def _modules() -> list[str]:
    modules = []
    for path in sorted(ROOT.glob("*/**/*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] in _LEFT_OUT or parts[0].startswith(".") or path.name == "__init__.py":
            continue
        if (path.parent / "__init__.py").is_file():
            modules.append(".".join(("fedscan", *parts)))
    return ["fedscan.errors", *modules]
