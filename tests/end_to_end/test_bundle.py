"""The bundle that travels: Flower takes it, it holds no code, and its bytes are always the same."""

import hashlib
import io
import subprocess
import sys
import zipfile

from fedscan.federation.bundle import NAME, PUBLISHER, build_bundle, bundle_hash
from flwr.cli.install import install_from_fab
from flwr.common.config import get_fab_config


def test_flower_installs_it_and_finds_nothing_to_run(tmp_path):
    folder = install_from_fab(build_bundle(), tmp_path, skip_prompt=True)
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["pyproject.toml"]
    assert folder.name.startswith(f"{PUBLISHER}.{NAME}.")
    app = get_fab_config(build_bundle())["tool"]["flwr"]["app"]
    assert set(app["components"]) == {"serverapp", "clientapp"}


def test_no_entry_is_compressed_or_dated():
    with zipfile.ZipFile(io.BytesIO(build_bundle())) as archive:
        for entry in archive.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_another_process_builds_the_same_bytes():
    code = (
        "import sys; from fedscan.federation import bundle; "
        "sys.stdout.buffer.write(bundle.build_bundle())"
    )
    made = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
    assert hashlib.sha256(made).hexdigest() == bundle_hash()
