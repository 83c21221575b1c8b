"""For all tests: one thread per process, no call home, and no time limit on a busy machine."""

from __future__ import annotations

import os

from hypothesis import settings

# Before anything imports torch or Flower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from fedscan.cli.environment import set_defaults

set_defaults()

pytest_plugins = ["dicom_files"]


settings.register_profile("fedscan", deadline=None)
settings.load_profile("fedscan")
