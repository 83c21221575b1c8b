"""Getting the coordinator's counter-signature under this site's ledgers, and showing it a line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...common.files import write_atomically
from ...errors import SignatureError
from ...federation.counter_signed import HEADS_PATH, CounterSigned, LedgerMark
from ...federation.diagnosis.network import ask
from ...federation.protocol import RoundReply
from ...privacy.ledger.view import LedgerView
from ..counter_signed import noted_before, require_lines
from ..steward.home import SiteHome
from .connection import Address, client_context

if TYPE_CHECKING:
    from ..answers.asked import Asked


def check_counter_signature(home: SiteHome) -> CounterSigned | None:
    """Ask the coordinator what it has signed of this site's ledgers, and compare.

    Returns:
        What it signed; ``None`` where it signs nothing, as earlier releases do.

    Raises:
        FederationError: If one side does not accept the other.
        LedgerError: If this home does not have a line that was signed for it.
        SignatureError: If what the coordinator gives is not signed by its key, or of another site.
        UnreachableError: If the coordinator is out of reach.
    """
    latest = _fetch(home)
    before = noted_before(home)
    if latest is not None:
        require_lines(home, latest)
    if before is not None:
        require_lines(home, before)
    return latest


def with_mark(reply: RoundReply, question: Asked) -> RoundReply:
    """Return an answer that shows the coordinator which ledger paid and how far it has come.

    Nothing is shown where nothing was paid, and to a coordinator that never signed anything.
    """
    site = question.site
    signs = site.home is not None and SiteHome(site.home).counter_signed.exists()
    if not signs or not question.terms.privacy.enabled:
        return reply
    view = LedgerView.read(site.ledger)
    return replace(reply, ledger=str(LedgerMark(view.name, view.head.digest)))


def _fetch(home: SiteHome) -> CounterSigned | None:
    settings = home.settings()
    address, context = Address.parse(settings.coordinator), client_context(home)
    answer = ask(address.host, address.port, context, HEADS_PATH)
    if answer.status != 200 or not home.record_key.exists():
        return None
    key = home.record_key.read_text(encoding="utf-8")
    latest, before = CounterSigned.read(answer.content, key), noted_before(home)
    if latest.site != settings.name:
        raise SignatureError(f"The coordinator gives what it noted of {latest.site!r}.")
    # One that was restored from a backup may have forgotten what it signed.
    if before is None or (before.lines.keys() <= latest.lines.keys() and before != latest):
        write_atomically(home.counter_signed, answer.content)
    return latest
