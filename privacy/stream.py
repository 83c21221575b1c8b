"""A secret stream of random numbers: ChaCha20 keyed by a secret that stays at the site.

A general-purpose generator (NumPy's or PyTorch's) would not do for privacy: whoever sees some
of its output can compute the rest, and with it subtract the noise. The stream is also a pure
function of its key, so a round that crashed is repeated to the same bytes from its stored
secret and releases nothing new.
"""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import torch
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray
from torch import Tensor

from ..errors import PrivacyError

KEY_BYTES = 32
_DOMAIN = b"fedscan stream"  # BLAKE2's personalisation: at most 16 bytes
_BLOCK = 1 << 16  # normals made at once: the scratch arrays stay in the processor's cache


class SecretStream:
    """Random numbers that only the holder of the key can know or repeat.

    Every call consumes the stream: two equal streams give equal numbers only for an equal
    sequence of calls. :meth:`child` does not consume it.

    Args:
        key: 32 secret bytes.
        label: What the numbers are for. Streams of one key with different labels are
            independent.

    Raises:
        PrivacyError: If the key does not have 32 bytes.
    """

    def __init__(self, key: bytes, label: str) -> None:
        if not isinstance(key, bytes) or len(key) != KEY_BYTES:
            # Nothing of the key itself may appear in the message.
            raise PrivacyError(
                "The key of a secret stream has a wrong type or length.",
                hint=f"Give {KEY_BYTES} bytes from os.urandom.",
            )
        self._key = hashlib.blake2b(
            label.encode(), key=key, digest_size=KEY_BYTES, person=_DOMAIN
        ).digest()
        # Each derived key is used for one stream only, so the nonce can be constant.
        self._cipher = Cipher(ChaCha20(self._key, bytes(16)), mode=None).encryptor()

    def child(self, label: str) -> SecretStream:
        """Return an independent stream for ``label``, the same however much was drawn before."""
        return SecretStream(self._key, label)

    def uniform(self, count: int) -> NDArray[np.float64]:
        """Return ``count`` numbers in [0, 1), multiples of 2**-53, float64 ``[count]``."""
        return np.multiply(self._words(count) >> np.uint64(11), 2.0**-53, dtype=np.float64)

    def integers(self, low: int, high: int, count: int) -> NDArray[np.int64]:
        """Return ``count`` integers in [low, high), int64 ``[count]``, exactly uniform.

        Raises:
            PrivacyError: If the range is empty.
        """
        span = operator.index(high) - operator.index(low)
        if not 0 < span < 1 << 63:
            raise PrivacyError(f"There is no integer in [{low}, {high}).")
        # Words in the last, incomplete run of remainders would favour small results.
        limit = np.uint64((1 << 64) - (1 << 64) % span - 1)
        words = self._words(count)
        while (too_large := np.flatnonzero(words > limit)).size:
            words[too_large] = self._words(too_large.size)
        return (words % np.uint64(span)).astype(np.int64) + low

    def normal64(self, count: int) -> Tensor:
        """Return ``count`` standard normal numbers, float64 ``[count]``, on the CPU.

        Box and Muller's transform (1958) of 53-bit uniform numbers. The largest absolute value
        is sqrt(2 * 53 * ln 2) = 8.57; a true normal number exceeds it once in 10**17.
        """
        normals = torch.empty(count + count % 2, dtype=torch.float64)
        for block in normals.split(_BLOCK):
            radius, angle = torch.from_numpy(self.uniform(len(block))).chunk(2)
            # 1 - u is in (0, 1], so the logarithm is finite.
            radius.neg_().add_(1).log_().mul_(-2).sqrt_()
            angle.mul_(2 * math.pi)
            cosine, sine = block.chunk(2)
            torch.cos(angle, out=cosine).mul_(radius)
            torch.sin(angle, out=sine).mul_(radius)
        return normals[:count]

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Return standard normal numbers of the given shape, float32, on the CPU."""
        return self.normal64(math.prod(shape)).float().reshape(tuple(shape))

    def torch_seed(self) -> int:
        """Return a seed in [0, 2**63) for a generator of PyTorch's own.

        For draws that need no secrecy (data augmentation, dropout): never for the noise.
        """
        return int(self._words(1)[0] >> np.uint64(1))

    def __repr__(self) -> str:
        return "SecretStream(<secret>)"

    def __reduce__(self) -> NoReturn:
        raise PrivacyError(
            "A secret stream cannot be pickled or copied.",
            hint="Make it where it is used; a copy would repeat the same noise.",
        )

    def _words(self, count: int) -> NDArray[np.uint64]:
        # Encrypting zeros gives the key stream; in place, for it is the slowest part.
        words = bytearray(8 * count)
        self._cipher.update_into(words, words)
        return np.frombuffer(words, "<u8").astype(np.uint64, copy=False)
