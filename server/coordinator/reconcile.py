"""Bringing the SuperLink into the state that stands on disk, again and again.

Nothing that a person orders is sent anywhere: it is written to disk, and this compares what stands
there with what the SuperLink says. So an order is followed also when the coordinator or the
SuperLink was down, or died in the middle of it.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from ...common.audit.log import AuditLog
from ...federation.protocol import INTERNAL, OK
from .control import Control, Node, RefusedCallError
from .home import Home
from .members import Member, known_node_keys, members
from .studies import State, StudyFolder, studies

_log = logging.getLogger(__name__)

#: A study whose ServerApp died is started again this often without a finished round in between.
MAX_ATTEMPTS = 10

RUNNING = "running"


class Reconciler:
    """Compares disk and SuperLink.

    Args:
        home: The coordinator's folder.
        control: The SuperLink's control interface.
    """

    def __init__(self, home: Home, control: Control) -> None:
        self._home = home
        self._control = control
        self._audit = AuditLog(home.audit)
        #: Whether what is found was left by an earlier coordinator.
        self._first = True
        #: What the SuperLink refused when it was last asked, by site or study.
        self.refusals: dict[str, str] = {}

    def sites(self) -> Mapping[str, bool]:
        """Register members and unregister everybody else; return who is online, by name.

        Raises:
            FederationError: If the SuperLink does not answer.
        """
        nodes = {node.public_key: node for node in self._control.nodes()}
        # Whose certificate has expired stays registered: the proxy refuses it until it is
        # renewed, and the SuperLink would never take its key again.
        node_keys = known_node_keys(self._home)
        for key, node in nodes.items():
            if key not in node_keys:
                with self._noted(f"node {node.number}"):
                    self._control.unregister(node.number)
                    self._audit.append("node-unregistered", node=str(node.number))
        return {member.site: self._online(member, nodes) for member in members(self._home)}

    def _online(self, member: Member, nodes: Mapping[bytes, Node]) -> bool:
        if member.node_key in nodes:
            self.refusals.pop(member.site, None)
            return nodes[member.node_key].online
        with self._noted(member.site):
            number = self._control.register(member.site, member.node_key)
            self._audit.append("node-registered", site=member.site, node=str(number))
        return False

    @contextmanager
    def _noted(self, what: str) -> Iterator[None]:
        """Note a refused call, once in the audit log, and go on: others must not wait for it."""
        try:
            yield
        except RefusedCallError as error:
            if self.refusals.get(what) != str(error):
                self._audit.append("refused", what=what)
                _log.warning("%s: %s", what, error)
            self.refusals[what] = str(error)
        else:
            self.refusals.pop(what, None)

    def studies(self) -> None:
        """Start, watch and stop studies as ordered.

        Raises:
            FederationError: If the SuperLink does not answer.
        """
        runs = self._control.unfinished_runs()
        folders = list(studies(self._home))
        for folder in folders:
            with self._noted(f"study {folder.name}"):
                self._follow(folder, runs)
        current = {folder.state.run for folder in folders if folder.state.phase == "running"}
        # A run of which nothing is on disk: the coordinator died before it could note it.
        for number in runs - current:
            with self._noted(f"run {number}"):
                self._control.stop_run(number)
        self._first = False

    def _follow(self, folder: StudyFolder, runs: set[int]) -> None:
        order, state = folder.order, folder.state
        if order.number > state.order:
            if state.phase == "running":
                self._stop(folder, state, runs)
            if order.action == "run":
                self._start(folder, State(order=order.number))
            else:
                folder.write(replace(state, order=order.number, phase="aborted"))
                self._audit.append("study-aborted", study=folder.name)
        elif state.phase == "running":
            self._watch(folder, state, runs)

    def _start(self, folder: StudyFolder, state: State) -> None:
        number = self._control.start_run({"study": folder.name})
        last_round = folder.finished_round
        attempts = 1 if last_round > state.reached else state.attempts + 1
        # A ServerApp works only on a run that is noted here.
        folder.write(
            replace(
                state,
                phase="running",
                run=number,
                attempts=attempts,
                reached=last_round,
                message="",
            )
        )
        self._audit.append("study-started", study=folder.name, run=str(number), attempt=attempts)

    def _watch(self, folder: StudyFolder, state: State, runs: set[int]) -> None:
        # First whether it is alive, then what it said last: it may end in between.
        is_served = folder.is_served()
        outcome = folder.outcome
        spoke = outcome.run == state.run
        if spoke and outcome.code == OK:
            folder.write(replace(state, phase="finished"))
            self._audit.append("study-finished", study=folder.name, run=str(state.run))
        elif spoke and outcome.code not in (RUNNING, INTERNAL):
            folder.write(replace(state, phase="failed", message=outcome.message))
            self._audit.append("study-failed", study=folder.name, code=outcome.code)
        elif not is_served and (spoke or state.run not in runs):
            self._died(folder, state, runs)

    def _died(self, folder: StudyFolder, state: State, runs: set[int]) -> None:
        self._stop(folder, state, runs)
        if self._first:
            self._start(folder, replace(state, attempts=0))
            return
        # An error that fedscan does not know is treated alike: it may be the network's.
        self._audit.append("study-server-died", study=folder.name, run=str(state.run))
        if state.attempts < MAX_ATTEMPTS or folder.finished_round > state.reached:
            _log.warning("the server of study %s died; it goes on from its checkpoint", folder.name)
            self._start(folder, state)
        else:
            message = f"Its server died {state.attempts} times; see {folder.log}."
            folder.write(replace(state, phase="failed", message=message))
            self._audit.append("study-failed", study=folder.name, code="died")

    def _stop(self, folder: StudyFolder, state: State, runs: set[int]) -> None:
        if state.run in runs:
            self._control.stop_run(state.run)
        outcome = folder.outcome
        # While the lock is held, the process number is that of the ServerApp and of no other.
        if outcome.run == state.run and folder.is_served():
            try:
                os.kill(outcome.pid, signal.SIGKILL)
            except ProcessLookupError:
                _log.info("the server of study %s has ended by itself", folder.name)
