"""The coordinator's folder: where everything lies, and how it is reached."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ...common.files import write_atomically
from ...errors import ConfigurationError
from ...federation.pki.authority import Authority

#: Environment variable that tells the ServerApp, which Flower starts, where the folder is.
HOME_VARIABLE = "FEDSCAN_COORDINATOR_HOME"
#: The same for where it computes: auto, cpu, cuda, cuda:N or mps.
DEVICE_VARIABLE = "FEDSCAN_DEVICE"

_SETTINGS = "coordinator.json"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the coordinator is reached.

    Attributes:
        name: The federation's name.
        host: Host name or IP address that sites connect to; it stands in the certificate.
        port: Port that sites connect to.
        listen: Local address that the proxy binds to.
        superlink_port: Port of Flower's SuperLink; on the loopback interface only.
    """

    name: str
    host: str
    port: int
    listen: str
    superlink_port: int

    @property
    def public(self) -> str:
        """Host and port as sites are told."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def superlink(self) -> str:
        """Host and port of the SuperLink."""
        return f"127.0.0.1:{self.superlink_port}"


def require_addresses(addresses: Addresses) -> None:
    """Refuse what cannot be an address.

    Raises:
        ConfigurationError: If the host is no host name or IP address, or the local address is no
            IP address.
    """
    if not (_is_address(addresses.host) or _HOST.fullmatch(addresses.host)):
        raise ConfigurationError(
            f"The host {addresses.host!r} is no host name or IP address.",
            hint="Give only the name, for example fl.example.org; the port has its own option.",
        )
    if not _is_address(addresses.listen):
        raise ConfigurationError(
            f"The local address {addresses.listen!r} is no IP address.",
            hint="Use 0.0.0.0 for all, or the address of one network interface.",
        )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Home:
    """A coordinator's folder.

    Attributes:
        root: The folder.
    """

    root: Path

    @property
    def authority(self) -> Authority:
        """The federation's certificate authority."""
        return Authority(self.root / "ca")

    @property
    def server(self) -> Path:
        """Certificate and key that sites see."""
        return self.root / "server"

    @property
    def superlink(self) -> Path:
        """State, certificate and key of the SuperLink."""
        return self.root / "superlink"

    @property
    def proxy(self) -> Path:
        """Configuration of the proxy."""
        return self.root / "proxy"

    @property
    def sites(self) -> Path:
        """One folder for each site."""
        return self.root / "sites"

    @property
    def studies(self) -> Path:
        """One folder for each study."""
        return self.root / "studies"

    @property
    def logs(self) -> Path:
        """The processes' output."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What belongs to the running service: lock, process number, status, secret."""
        return self.root / "run"

    @property
    def audit(self) -> Path:
        """The audit log."""
        return self.root / "audit.jsonl"

    @property
    def study(self) -> Path:
        """The study file that is submitted where no other is named."""
        return self.root / "study.toml"

    @property
    def secrets(self) -> tuple[Path, ...]:
        """Private keys, which nobody else may read."""
        return (
            self.root / "ca" / "ca.key",
            self.server / "server.key",
            self.superlink / "superlink.key",
            self.record_key,
        )

    @property
    def record_key(self) -> Path:
        """Private key that study records are signed with."""
        return self.root / "records" / "record.key"

    @property
    def addresses(self) -> Addresses:
        """Where the coordinator is reached.

        Raises:
            ConfigurationError: If the folder is not a coordinator's, or its settings are damaged.
        """
        path = self.root / _SETTINGS
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if set(values) != {field.name for field in fields(Addresses)}:
                raise ValueError("other settings")
            return Addresses(**values)
        except FileNotFoundError:
            raise ConfigurationError(
                f"{self.root} is not the folder of a coordinator.",
                hint="Make one with `fedscan coordinator init`, or name another with --home.",
            ) from None
        except (OSError, ValueError, TypeError) as error:
            raise ConfigurationError(f"{path} cannot be read.") from error

    def write_addresses(self, addresses: Addresses) -> None:
        """Write the settings, which makes the folder a coordinator's."""
        write_atomically(self.root / _SETTINGS, json.dumps(asdict(addresses), indent=2).encode())
