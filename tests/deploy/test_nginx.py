"""nginx reads what fedscan and deploy/ give it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from deploy_tools import tool
from fedscan.server.coordinator.home import Addresses
from fedscan.server.coordinator.proxy import configuration_file, proxy_configuration
from fedscan.server.coordinator.setup import create_home


def check(configuration: Path, prefix: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tool("nginx"), "-t", "-e", "stderr", "-p", str(prefix), "-c", str(configuration)],
        capture_output=True,
        text=True,
    )


def test_nginx_accepts_the_proxy_that_the_coordinator_writes(tmp_path: Path) -> None:
    addresses = Addresses(
        name="test", host="localhost", port=18443, listen="127.0.0.1", superlink_port=19091
    )
    home = create_home(tmp_path / "coordinator", addresses)
    file = configuration_file(home)
    for folder in (file.parent, home.run, home.logs):
        folder.mkdir(parents=True, exist_ok=True)
    file.write_text(proxy_configuration(home, []))
    done = check(file, tmp_path)
    assert done.returncode == 0, done.stderr


def test_nginx_accepts_the_edge(deploy: Path, tmp_path: Path) -> None:
    module = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
    if not module.is_file():
        pytest.skip("nginx's stream module is not installed here")
    file = tmp_path / "nginx.conf"
    edge = (deploy / "nginx" / "edge.conf").read_text().replace("listen 443;", "listen 18444;")
    file.write_text(f'load_module {module};\npid "{tmp_path}/pid";\nevents {{}}\n{edge}')
    done = check(file, tmp_path)
    assert done.returncode == 0, done.stderr
