"""References of docstrings, such as ``:func:`~fedscan.model.storage.load_generator```, as links."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from griffe import Extension, NameResolutionError, Object

_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):`(~?)([\w.]+)`")


class Roles(Extension):
    """Shows a reference by its name, and leads to its page where there is one."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Replace the references in an object's docstring."""
        if obj.docstring:
            obj.docstring.value = _ROLE.sub(lambda match: _link(obj, match), obj.docstring.value)


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
