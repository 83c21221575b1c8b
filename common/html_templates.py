"""Templates of HTML pages: every value that is put in is escaped, and none may be missing."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined


def html_templates(package: str, **filters: Callable[..., object]) -> Environment:
    """Return a package's templates.

    Args:
        package: Package that the templates lie in.
        filters: What a template can turn values into text with, by name.
    """
    environment = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= filters
    return environment
