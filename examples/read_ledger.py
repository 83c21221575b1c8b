"""What a data set's patients have paid of their privacy, from its ledger alone.

Run ``python examples/read_ledger.py LEDGER``: a site's ``data/NAME/ledger``, or, of a simulation,
``OUT/sites/NAME/ledger``. Reading changes nothing and waits for nobody.
"""

import sys
from pathlib import Path

import fedscan

ledger = fedscan.LedgerView.read(Path(sys.argv[1]))
for row in ledger.rows():
    total = "" if row.epsilon is None else f"epsilon so far {row.epsilon:.3f}"
    print(row.time, row.kind, row.purpose, row.mechanism, total)
print(f"{len(ledger.book.mechanisms())} kinds of steps, head {ledger.head}")
