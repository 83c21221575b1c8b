"""The configuration reference: one table per section, made from the settings classes.

``python -m fedscan.config.reference > docs/configuration.md`` renews the page.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from typing import Any

from ..common.toml_settings import Setting, section_types
from .study import Study, study_settings

_INTRODUCTION = """\
# Configuration

A study is one TOML file. Every setting has a default, so the file holds only what differs:

```toml
name = "chest"

[privacy]
epsilon = 4.0
```

- `fedscan config > study.toml` writes a file with all settings, defaults and explanations.
- `fedscan simulate --config study.toml --set privacy.epsilon=2` overrides single values;
  `--set` may be repeated, and the last one wins.
- An unknown name, a wrong type or a value out of range ends the command with exit status 2
  and one line per problem, before anything is read or trained.

*This page is generated: `python -m fedscan.config.reference > docs/configuration.md`.*
"""


def reference() -> str:
    """Return the reference of all settings as Markdown."""
    settings = study_settings()
    parts = [_INTRODUCTION, "## Top of the file\n", _table(s for s in settings if not s.section)]
    for name, section_type in section_types(Study).items():
        parts += [
            f"## [{name}]\n",
            inspect.cleandoc(section_type.__doc__ or "").partition("\n\n")[0] + "\n",
            _table(setting for setting in settings if setting.section == name),
        ]
    return "\n".join(parts)


def _table(rows: Iterable[Setting]) -> str:
    lines = ["| Setting | Default | Allowed | Meaning |", "|---|---|---|---|"]
    for row in rows:
        cells = (f"`{row.key}`", _shown(row.default), row.allowed_values, row.description)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _shown(default: Any) -> str:
    return "left out" if default is None else f"`{json.dumps(default, default=str)}`"


if __name__ == "__main__":
    print(reference(), end="")
