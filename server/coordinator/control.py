"""Flower's control interface, as far as a coordinator needs it.

The command line of Flower does the same calls, but takes seconds for each and answers in prose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import httpx
from flwr.app import UserConfig
from flwr.common.serde import fab_to_proto, user_config_to_proto
from flwr.proto.control_pb2 import (
    ListNodesRequest,
    ListRunsRequest,
    RegisterNodeRequest,
    StartRunRequest,
    StopRunRequest,
    UnregisterNodeRequest,
)
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.fab import Fab
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

from ...errors import FederationError
from ...federation.bundle import build_bundle, bundle_hash

_FINISHED = "finished"
#: More runs than this are not looked at; only the newest can be unfinished.
_RUNS = 200


class RefusedCallError(FederationError):
    """The SuperLink answers, and does not do what it was asked for."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A site's node as the SuperLink sees it.

    Attributes:
        number: Flower's number of the node.
        public_key: Its public key as PEM.
        online: Whether it has been heard of lately.
    """

    number: int
    public_key: bytes
    online: bool


class Control:
    """A connection to the SuperLink's control interface.

    Args:
        address: Host and port of the SuperLink.
        authority: Certificate of the federation's authority, as PEM.
    """

    def __init__(self, address: str, authority: bytes) -> None:
        self._client = ControlHttpClient.from_server_address(
            server_address=address,
            insecure=False,
            root_certificates=authority,
            interceptors=[RuntimeVersionHttpInterceptor(component_name="fedscan")],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def nodes(self) -> list[Node]:
        """Return the registered nodes.

        Raises:
            RefusedCallError: If the SuperLink refuses, here as in every other call.
            FederationError: If it does not answer.
        """
        with _translated():
            answer = self._client.ListNodes(ListNodesRequest())
        return [
            Node(
                number=info.node_id,
                public_key=info.public_key,
                online=info.status == "online",
            )
            for info in answer.nodes_info
            if info.status != "unregistered"
        ]

    def register(self, name: str, public_key: bytes) -> int:
        """Let a node of this key connect; return Flower's number for it."""
        with _translated():
            request = RegisterNodeRequest(public_key=public_key, name=name)
            return int(self._client.RegisterNode(request).node_id)

    def unregister(self, number: int) -> None:
        """Refuse a node from now on."""
        with _translated():
            self._client.UnregisterNode(UnregisterNodeRequest(node_id=number))

    def start_run(self, config: UserConfig) -> int:
        """Start a run of the app bundle; return its number."""
        fab = Fab(bundle_hash(), build_bundle(), {})
        with _translated():
            answer = self._client.StartRun(
                StartRunRequest(fab=fab_to_proto(fab), override_config=user_config_to_proto(config))
            )
        if not answer.HasField("run_id"):
            raise RefusedCallError("The SuperLink did not start a run.", hint="See its log.")
        return int(answer.run_id)

    def stop_run(self, number: int) -> None:
        """Stop a run."""
        with _translated():
            self._client.StopRun(StopRunRequest(run_id=number))

    def unfinished_runs(self) -> set[int]:
        """Return the numbers of the runs that are not finished."""
        return {number for number, status in self._runs().items() if status != _FINISHED}

    def _runs(self) -> Mapping[int, str]:
        with _translated():
            answer = self._client.ListRuns(ListRunsRequest(limit=_RUNS))
        return {number: run.status.status for number, run in answer.run_dict.items()}


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise RefusedCallError(
            f"The SuperLink refused a call with status {error.response.status_code}: "
            f"{error.response.text[:300]}"
        ) from error
    except (httpx.HTTPError, ValueError) as error:
        raise FederationError(
            f"The SuperLink does not answer ({type(error).__name__}).",
            hint="It is started again if it has died; see logs/superlink.log.",
        ) from error
