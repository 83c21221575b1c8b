"""Flower's ClientApp process, so changed that it runs the installed app and nothing else.

Nothing of a bundle is unpacked here, and what Flower would say about an error in its own words
(an exception's text) is cut to its code.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flwr.app import Context, Error, Message
from flwr.supernode.runtime import run_clientapp as process

from ...errors import EgressError, FedscanError, NotApprovedError, ProtocolError
from ...federation.protocol import OK, RoundReply
from ..steward.home import SiteHome
from .marks import HOME_VARIABLE, REFUSED

# The app, torch and the policy are imported when they are needed: Flower gives this process up
# if it does not say within a minute that it lives.

_GB = 10**9

App = Callable[[Message, Context], Message]


def load_app(fab_id: str, fab_version: str, fab_hash: str) -> App:
    """Return the installed app, or one that refuses where the node marked the run so."""
    from ..app import app

    # Without a policy the app itself refuses every request, and says so.
    with contextlib.suppress(FedscanError):
        limit(SiteHome.open(Path(os.environ[HOME_VARIABLE])))
    return _refusing if fab_id == REFUSED else app


def check_outgoing(message: Message) -> bool:
    """Cut an error to its code; let nothing pass that is not an answer of the border.

    Returns:
        Whether it is a result.

    Raises:
        EgressError: If the message is anything else.
    """
    if message.has_error():
        message.error = Error(code=message.error.code, reason="")
        return False
    try:
        return RoundReply.from_records(message.content).code == OK
    except ProtocolError as error:
        raise EgressError("What an app wants to send is not an answer.") from error


def limit(home: SiteHome) -> None:
    """Bound what this process may take of the machine, as the site's policy says.

    Raises:
        ConfigurationError: If the policy cannot be read.
    """
    import torch

    from ..policy import load_policy

    policy, cores = load_policy(home.policy), os.cpu_count() or 1
    torch.set_num_threads(min(policy.cpu_threads or cores, cores))
    if policy.memory_gb:
        size = int(policy.memory_gb * _GB)
        # Private memory that can be written to; maps of libraries and files do not count.
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def prepare(note: Callable[[bool], object] = lambda is_result: None) -> None:
    """Change Flower's process; once in a process.

    Args:
        note: Told of each message that has left whether it was a result.
    """
    push = process.push_message

    def checked_push(client: Any, message: Message, context: Context) -> None:
        is_result = check_outgoing(message)
        push(client, message, context)
        note(is_result)

    process.push_message = checked_push
    process.install_from_fab = _unpack_nothing  # type: ignore[assignment]
    process.get_load_client_app_fn = _loader  # type: ignore[assignment]


def main() -> None:
    """Run the app on one message; takes the arguments of ``flwr-clientapp``."""
    from flwr.supernode.cli import flwr_clientapp

    sys.argv[0] = "flwr-clientapp"
    prepare()
    flwr_clientapp()


def _refusing(message: Message, context: Context) -> Message:
    from ..border.reply import refuse

    return refuse(
        message,
        context,
        NotApprovedError(
            "The coordinator's bundle is not the one of this site's fedscan.",
            hint="Coordinator and sites must run the same release of fedscan.",
        ),
    )


def _unpack_nothing(content: bytes, **options: object) -> None:
    """Leave the bundle as it is: the app is installed already."""


def _loader(**options: object) -> Callable[[str, str, str], App]:
    return load_app


if __name__ == "__main__":
    main()
