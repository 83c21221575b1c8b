"""Places in settings: how they are called, and what the JSON schema of a class says there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: A part of a JSON schema.
Node = Mapping[str, Any]
#: Keys, and numbers in lists, from the top.
Place = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")


def path_of(place: Sequence[str | int]) -> str:
    """Name a place for people: ``privacy.epsilon``, or ``line 2: at_most`` in a list of tables."""
    path = ""
    for part in place:
        if isinstance(part, int):
            path += f" {part + 1}:"
        else:
            joint = "" if not path else (" " if path.endswith(":") else ".")
            path += joint + (part if _PLAIN_KEY.fullmatch(part) else shown(part))
    return path.removesuffix(":")


def shown(value: Any) -> str:
    """Return a value as it stands in a message: short, on one line."""
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 60 else text[:57] + "..."


def resolved(node: Node, definitions: Mapping[str, Node]) -> Node:
    """Follow a schema's reference to its definition."""
    reference = node.get("$ref")
    return definitions[reference.rsplit("/", 1)[-1]] if reference else node


@dataclass(frozen=True)
class Schema:
    """The JSON schema of a settings class, or of tables of them by name.

    Attributes:
        root: Its topmost node.
        definitions: The schema's ``$defs``.
    """

    root: Node
    definitions: Mapping[str, Node]

    def keys(self, place: Sequence[str | int]) -> tuple[str, ...]:
        """Return the settings that a table has; none where it may hold any."""
        node: Node | None = self.root
        for part in place:
            node = self._below(node, part) if node is not None else None
        return tuple(resolved(node, self.definitions).get("properties", ())) if node else ()

    def sections(self) -> dict[str, tuple[str, ...]]:
        """Return the tables below the top, with their settings."""
        tables = {name: self.keys((name,)) for name in self.keys(())}
        return {name: keys for name, keys in tables.items() if keys}

    def find(self, location: Sequence[str | int]) -> tuple[Place, Node]:
        """Return the setting or table that a location lies in, and its node.

        Args:
            location: Keys and numbers from the top. It may lead on into a setting: to an item
                of its list, or to one of the types that it may have.
        """
        node, place = self.root, 0
        for part in location:
            below = self._below(node, part)
            if below is None:
                break
            node, place = below, place + 1
        return tuple(location[:place]), resolved(node, self.definitions)

    def _below(self, node: Node, part: str | int) -> Node | None:
        """Return the node of a table's entry, or of one table in a list of them."""
        node = resolved(node, self.definitions)
        below: Node | None
        if isinstance(part, int):
            below = node.get("items")
            is_table = below and resolved(below, self.definitions).get("type") == "object"
            return below if is_table else None
        below = node.get("properties", {}).get(part)
        others = node.get("additionalProperties")
        return below if below is not None or not isinstance(others, Mapping) else others
