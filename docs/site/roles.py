"""How docstrings are shown: a reference such as ``:mod:`~fedscan.errors``` and an example."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from griffe import Extension, NameResolutionError, Object

_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):`(~?)([\w.]+)`")
_DOCTEST = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


class Roles(Extension):
    """Shows a reference by its name with a link to its page, and an example as Python's prompt."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Replace the references in an object's docstring, and fence its examples."""
        if obj.docstring:
            text = _ROLE.sub(lambda match: _link(obj, match), obj.docstring.value)
            obj.docstring.value = _DOCTEST.sub(r"```pycon\n\g<0>\n```", text)


def _link(obj: Object, match: re.Match[str]) -> str:
    short, target = match.groups()
    text = target.rpartition(".")[2] if short else target.lstrip(".")
    path = target.lstrip(".")
    if not path.startswith("fedscan."):
        first, dot, rest = path.partition(".")
        try:
            path = obj.resolve(first) + dot + rest
        except NameResolutionError:
            return f"`{text}`"
    return f'<autoref identifier="{escape(path)}" optional><code>{escape(text)}</code></autoref>'
