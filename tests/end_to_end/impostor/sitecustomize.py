"""Makes a site an impostor: on its path, its app answers in the name of another site.

What the site's own border would say against it is left out, too: whoever changes a site's
software changes all of it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from on_import import change_on_import


def _answer_in_anothers_name(border: Any) -> None:
    serve = border._serve

    def serving(*arguments: Any) -> Any:
        from fedscan.federation.protocol import RoundReply

        reply = RoundReply.from_records(serve(*arguments))
        return replace(reply, site=os.environ["IMPOSTOR_NAME"]).to_records()

    border._serve = serving


if "IMPOSTOR_NAME" in os.environ:
    change_on_import("fedscan.client.border.reply", _answer_in_anothers_name)
