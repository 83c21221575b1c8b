"""Receiving a data set's scans by C-STORE until somebody says stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ...errors import ConfigurationError
from ..sources.receiver import receiver
from ..sources.refresh import store_source
from ..sources.settings import StoreSource
from .data_sets import Registry
from .home import SiteHome


def receive(
    home: SiteHome,
    data_set: str,
    *,
    stop: threading.Event,
    on_start: Callable[[StoreSource], None] = lambda source: None,
    on_count: Callable[[int], None] = lambda count: None,
    every_s: float = 10.0,
) -> int:
    """Receive a data set's scans until told to stop; they wait beside it for a refresh.

    Args:
        home: The site's home.
        data_set: Name of the data set.
        stop: Ends it.
        on_start: Told what listens, once it does; its port is the one that was found.
        on_count: Told how many instances were received, when there are more than before.
        every_s: Seconds between two looks at the count.

    Returns:
        How many instances were received.

    Raises:
        ConfigurationError: If the data set is not one that is received.
        DataError: If there is no such data set, or another process receives it.
        FederationError: If the address cannot be listened at.
    """
    entry = Registry(home).get(data_set)
    if entry.kind != "cstore":
        raise ConfigurationError(
            f"The data set {data_set} is not received by C-STORE.",
            hint="`fedscan site add-data NAME --receive TITLE@HOST:PORT --sender TITLE` adds one.",
        )
    source, count, last = store_source(entry), 0, 0

    def take(number: int) -> None:
        nonlocal count
        count = number

    with receiver(source, Path(entry.folder).parent, take) as port:
        on_start(replace(source, port=port))
        while not stop.wait(every_s):
            if count > last:
                last = count
                on_count(last)
    return count
