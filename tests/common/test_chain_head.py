"""The end of a chain as text: audit log and ledger read and write the same form."""

from __future__ import annotations

import pytest
from fedscan.common.audit import AuditHead
from fedscan.common.chain_head import head_from_text, head_to_text
from fedscan.errors import AuditError, LedgerError
from fedscan.privacy.ledger import LedgerHead
from hypothesis import given
from hypothesis import strategies as st

numbers = st.integers(0, 10**18 - 1)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)


@given(number=numbers, digest=digests)
def test_a_head_is_text_and_back(number, digest):
    text = head_to_text(number, digest)
    assert head_from_text(f" {text}\n", "a log", AuditError) == (number, digest)
    assert str(AuditHead.parse(text)) == str(LedgerHead.parse(text)) == text


@given(st.text(max_size=90) | st.from_regex(r"[0-9]{0,19}:[0-9a-f]{63,65}\s?"))
def test_any_other_text_is_refused_or_means_a_head(text):
    for head, error, what in (
        (AuditHead, AuditError, "an audit log"),
        (LedgerHead, LedgerError, "a ledger"),
    ):
        try:
            read = head.parse(text)
        except error as refusal:
            read = None
            said = str(refusal)
        assert read is not None or f"is not the head of {what}" in said


@pytest.mark.parametrize("text", ["", "12", "12:abc", "-1:" + "a" * 64, "1:" + "A" * 64, "٣:abc"])
def test_other_forms_are_refused(text):
    with pytest.raises(LedgerError, match="is not the head of a ledger"):
        LedgerHead.parse(text)
