"""One noisy sum over many sites: each adds a part of the noise, and nobody sees a single part.

Nothing is imported here: a ledger counts shares (:mod:`.shares`, :mod:`.plan`) without PyTorch,
which only the sums need (:mod:`.sums`).
"""
