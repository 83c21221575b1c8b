"""A fingerprint that people can read to each other on the telephone.

Sixteen bits become five letters that can be spoken, as in "A Proposal for Proquints" (Wilkerson,
arXiv:0901.4016). Six such words are short, so each is made dear to guess: whoever looks for two
rosters with the same words must run scrypt (RFC 7914) some 2**48 times.
"""

from __future__ import annotations

import hashlib

_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aiou"
_WORDS = 6
_SALT = b"fedscan roster words 1"


def spoken(digest: str) -> str:
    """Return six words for a digest, such as ``lusab babad gutih tugad zikom pavit``.

    Args:
        digest: 64 hex digits.
    """
    short = hashlib.scrypt(
        bytes.fromhex(digest), salt=_SALT, n=2**14, r=8, p=1, dklen=2 * _WORDS, maxmem=2**26
    )
    return " ".join(
        _word(first << 8 | second) for first, second in zip(short[::2], short[1::2], strict=True)
    )


def _word(bits: int) -> str:
    return "".join(
        letters[bits >> shift & len(letters) - 1]
        for letters, shift in (
            (_CONSONANTS, 12), (_VOWELS, 10), (_CONSONANTS, 6), (_VOWELS, 4), (_CONSONANTS, 0)
        )
    )  # fmt: skip
