"""Pairwise masks: noise of full size on every site's vector, which is gone in the sum of all.

Two sites share a key. From it and the sum's context each derives the same keystream, which the one
adds to its vector and the other subtracts, modulo 2**32 (Bonawitz et al. 2017, eprint 2017/281,
without the part that opens masks again: here none is ever opened). Whoever lacks one key of a pair
of honest sites sees uniform numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from ...errors import RosterError
from .context import SumContext

KEY_BYTES = 32
#: Numbers masked at once: the keystream stays in the processor's cache.
_BLOCK = 1 << 16


def add_masks(
    values: NDArray[np.uint32], site: str, keys: Mapping[str, bytes], context: SumContext
) -> NDArray[np.uint32]:
    """Return a site's vector under the masks that it shares with all other members of a sum.

    Args:
        values: The site's own vector, uint32 ``[N]``; it is not changed.
        site: The site's name, one of the members.
        keys: For each other member the secret of 32 bytes that the two share.
        context: The sum.

    Returns:
        uint32 ``[N]``. The memory is that of the two vectors and some 256 kB.

    Raises:
        RosterError: If the site is no member, is alone, or has no key for a member.
    """
    others = [member for member in context.members if member != site]
    if site not in context.members or not others or len(set(others)) != len(others):
        raise RosterError(f"The sum is not one of {site!r} with others.")
    if missing := [member for member in others if member not in keys]:
        raise RosterError(f"There is no key to mask with for {missing[0]!r}.")
    result = np.array(values, "<u4", order="C")
    salt = context.digest()
    for other in others:
        stream = _keystream(keys[other], salt, *sorted((site, other)))
        for start in range(0, len(result), _BLOCK):
            part = result[start : start + _BLOCK]
            # Encrypting zeros gives the keystream.
            mask = np.zeros(len(part), "<u4")
            stream.update_into(mask.data.cast("B"), mask.data.cast("B"))
            if site < other:
                part += mask
            else:
                part -= mask
    return result


class MaskedTotal:
    """The sum of masked vectors, taken in one after the other; only one vector is kept.

    Args:
        size: Length N of the vectors.
    """

    def __init__(self, size: int) -> None:
        self._total = np.zeros(size, np.uint32)

    def add(self, vector: NDArray[np.uint32]) -> None:
        """Add a site's masked vector, uint32 ``[N]``, modulo 2**32."""
        self._total += vector

    def total(self) -> NDArray[np.uint32]:
        """Return the sum modulo 2**32, uint32 ``[N]``; once all members are in it, no mask is."""
        return self._total


def _keystream(secret: bytes, salt: bytes, first: str, second: str) -> CipherContext:
    info = f"fedscan mask 1\n{first}\n{second}".encode()
    key = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(secret)
    # Each derived key is used for one keystream only, so the nonce can be constant.
    return Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor()
