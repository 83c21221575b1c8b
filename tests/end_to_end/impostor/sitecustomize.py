"""Makes a site an impostor: on its path, its app answers in the name of another site.

What the site's own border would say against it is left out, too: whoever changes a site's
software changes all of it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import replace
from typing import Any

_MODULE = "fedscan.client.border.reply"


class _Finder:
    """Finds the site's border as it is, and changes it once it is loaded."""

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> Any:
        if name != _MODULE:
            return None
        sys.meta_path.remove(cls)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            module._serve = _in_anothers_name(module._serve)

        spec.loader.exec_module = exec_module
        return spec


def _in_anothers_name(serve: Any) -> Any:
    def serving(*arguments: Any) -> Any:
        from fedscan.federation.protocol import RoundReply

        reply = RoundReply.from_records(serve(*arguments))
        return replace(reply, site=os.environ["IMPOSTOR_NAME"]).to_records()

    return serving


if "IMPOSTOR_NAME" in os.environ:
    sys.meta_path.insert(0, _Finder)
