"""What can be configured: every setting with its allowed values, default and meaning.

Everything is read from the settings classes themselves, so that the error messages, the
written TOML file and the reference in the documentation cannot disagree with the code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from .places import Node, resolved


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One value that a user can set.

    Attributes:
        section: TOML table it stands in; empty for the settings at the top of the file.
        key: Its name within the section.
        kind: JSON type: ``string``, ``integer``, ``number``, ``boolean`` or ``array``.
        allowed_values: The allowed values, in words.
        default: Value that is used when the file does not set one.
        description: What it does.
    """

    section: str
    key: str
    kind: str
    allowed_values: str
    default: Any
    description: str

    @property
    def path(self) -> str:
        """Name to use in ``--set``: ``section.key``, or ``key`` at the top."""
        return f"{self.section}.{self.key}" if self.section else self.key


def section_types(study_type: type) -> dict[str, type]:
    """Return the sections of a study class by name, in the order of the file."""
    sections: dict[str, type] = {}
    for name, field in study_type.__pydantic_fields__.items():  # type: ignore[attr-defined]
        if isinstance(field.annotation, type) and dataclasses.is_dataclass(field.annotation):
            sections[name] = field.annotation
    return sections


def settings(study_type: type) -> Iterator[Setting]:
    """Yield every setting of a study class, top level first, then section by section."""
    sections = section_types(study_type)
    yield from _settings_of("", study_type, skip=sections.keys())
    for name, section_type in sections.items():
        yield from _settings_of(name, section_type, skip=())


def _settings_of(section: str, settings_type: type, skip: object) -> Iterator[Setting]:
    schema = TypeAdapter(settings_type).json_schema()
    fields: Mapping[str, Any] = settings_type.__pydantic_fields__  # type: ignore[attr-defined]
    definitions = schema.get("$defs", {})
    for key, field in fields.items():
        if key in skip:  # type: ignore[operator]
            continue
        node = schema["properties"][key]
        yield Setting(
            section=section,
            key=key,
            kind=_kind(node, definitions),
            allowed_values=allowed_values(node, definitions),
            default=field.get_default(call_default_factory=True, validated_data={}),
            description=" ".join((field.description or "").split()),
        )


def _kind(node: Node, definitions: Mapping[str, Node]) -> str:
    node = resolved(node, definitions)
    for option in node.get("anyOf", ()):
        if option.get("type") != "null":
            return _kind(option, definitions)
    return str(node.get("type", "string"))


def allowed_values(node: Node, definitions: Mapping[str, Node]) -> str:
    """Say in words what a JSON-schema node allows.

    Args:
        node: Schema of one setting.
        definitions: The schema's ``$defs``.

    Returns:
        For example ``"number, above 0, at most 100"`` or ``"one of tiny, small"``.
    """
    node = resolved(node, definitions)
    if "anyOf" in node:
        options = [allowed_values(option, definitions) for option in node["anyOf"]]
        return " or ".join("left out" if text == "null" else text for text in options)
    if "enum" in node:
        return "one of " + ", ".join(str(value) for value in node["enum"])
    if "const" in node:
        return f"only {node['const']}"
    words = {
        "string": "text",
        "boolean": "true or false",
        "integer": "whole number",
        "object": "table",
    }
    kind = str(node.get("type", "text"))
    parts = [words.get(kind, kind)]
    if kind == "array":
        # A list of fixed length states each of its items; ours are all of one kind.
        items = node.get("items") or next(iter(node.get("prefixItems", ())), None)
        each = allowed_values(items, definitions) if items else ""
        parts = [f"list of {each}{'s' if each == 'table' else ''}" if items else "list"]
    limits = {
        "exclusiveMinimum": "above {}",
        "minimum": "at least {}",
        "exclusiveMaximum": "below {}",
        "maximum": "at most {}",
        "multipleOf": "a multiple of {}",
        "minItems": "at least {} of them",
        "maxItems": "at most {} of them",
        "minLength": "at least {} characters",
        "maxLength": "at most {} characters",
    }
    parts += [text.format(_number(node[name])) for name, text in limits.items() if name in node]
    if "examples" in node:
        # They say more to people than a pattern, a regular expression.
        parts.append("such as " + " or ".join(map(str, node["examples"])))
    return ", ".join(parts)


def _number(value: object) -> object:
    """Write whole numbers without a fraction: 1, not 1.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
