"""The processes of a site's daemon, and whether they live."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from loopback import Federation


def children(pid: int) -> list[int]:
    """Return the processes that a process started, as far as they live."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(child) for child in text.split()]


def below(pid: int) -> Iterator[int]:
    """Yield the processes below a process."""
    for child in children(pid):
        yield child
        yield from below(child)


def superexec(federation: Federation, site: str) -> int:
    """Return the process number of a site's SuperExec."""
    (node,) = children(federation.process(site).pid)
    (found,) = children(node)
    return found


def apps(federation: Federation, site: str) -> list[int]:
    """Return the processes of a site's app: what its fork server has forked."""
    return [app for server in children(superexec(federation, site)) for app in children(server)]


def lives(pid: int) -> bool:
    """Return whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
