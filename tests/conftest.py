"""For all tests: one thread per process, no call home, and no time limit on a busy machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import settings

# Before anything imports torch or Flower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from fedscan.cli.environment import set_defaults

set_defaults()

# What tests of several folders share.
sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("fedscan", deadline=None)
settings.load_profile("fedscan")
