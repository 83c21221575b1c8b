"""Runs ledger scripts in child processes that die where they are told to.

Started once, by path, with its orders on standard input and its answers on standard output,
one JSON object a line; each order runs in a forked child, so that a thousand deaths cost no
thousand starts of Python. Durability is modelled exactly: what a file held when it was last
synced and what a folder named when it was last synced. A death can leave the disk as the
kernel saw it (a killed process), or with names, contents or both as they were last synced (a
power cut), or with half of the last write.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import resource
import shutil
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fedscan.errors import FedscanError
from fedscan.privacy.accounting import epsilon
from fedscan.privacy.ledger import Ledger
from fedscan.privacy.mechanism import SubsampledGaussian

DELTA = 1e-5
MECHANISM = SubsampledGaussian(1.0, 20.0, 1)
REAL = {name: getattr(os, name) for name in ("write", "fsync", "replace", "unlink", "ftruncate")}
MKDIR = os.mkdir
OPEN = os.open


class FaultyDisk:
    """Counts what changes the disk, and dies or fails at the chosen count."""

    def __init__(
        self,
        root: Path,
        tell: Callable[..., None],
        *,
        at: int,
        torn: bool,
        keep: tuple[bool, bool],
        error: int,
    ) -> None:
        self.root, self.tell, self.at, self.torn, self.error = root, tell, at, torn, error
        self.keep_names, self.keep_contents = keep
        self.count = 0
        self.kept: list[int] = []
        self.contents: dict[int, bytes] = {}
        self.names: dict[Path, dict[str, int]] = {}
        for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
            self._sync_names(folder)
        for path in root.rglob("*"):
            if path.is_file():
                self.contents[path.stat().st_ino] = path.read_bytes()
                # An inode that stays open is not given to another file.
                self.kept.append(OPEN(path, os.O_RDONLY))

    def install(self) -> None:
        """Put this disk between the process and the real one."""
        os.write = self._write
        os.fsync = self._fsync
        os.replace = lambda *args: self._step("replace", *args)
        os.unlink = lambda *args: self._step("unlink", *args)
        os.ftruncate = lambda *args: self._step("ftruncate", *args)
        os.mkdir = self._mkdir
        os.open = self._open

    def _reach(self, name: str) -> bool:
        self.count += 1
        if self.count == self.at:
            self.tell("fault", name)
        return self.count == self.at

    def _step(self, name: str, *args: Any) -> Any:
        if self._reach(name):
            self._fail()
        return REAL[name](*args)

    def _mkdir(self, path: Any, *args: Any, **options: Any) -> None:
        # Where the folder is there already, the disk is not changed and cannot fail.
        if not os.path.isdir(path) and self._reach("mkdir"):
            self._fail()
        MKDIR(path, *args, **options)

    def _open(self, path: Any, flags: int, *args: Any, **options: Any) -> int:
        descriptor = OPEN(path, flags, *args, **options)
        if flags & os.O_CREAT and Path(path).name != "lock":
            self.kept.append(os.dup(descriptor))
        return descriptor

    def _write(self, descriptor: int, data: Any) -> int:
        if self._reach("write"):
            if self.torn:
                REAL["write"](descriptor, bytes(data)[: len(data) // 2])
            self._fail()
        return REAL["write"](descriptor, data)

    def _fsync(self, descriptor: int) -> None:
        # Nothing is really synced: the model knows what would be.
        if self._reach("fsync"):
            self._fail()
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            self._sync_names(path)
        else:
            self.contents[status.st_ino] = path.read_bytes()

    def _sync_names(self, folder: Path) -> None:
        self.names[folder] = {path.name: path.stat().st_ino for path in folder.iterdir()}

    def _fail(self) -> None:
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        if not (self.keep_names and self.keep_contents):
            self._cut_power()
        os._exit(137)

    def _cut_power(self) -> None:
        """Rebuild the folder from what would be found after the power came back."""
        for name, function in {**REAL, "mkdir": MKDIR, "open": OPEN}.items():
            setattr(os, name, function)
        current = {path.stat().st_ino: path for path in self.root.rglob("*") if path.is_file()}
        now = {inode: path.read_bytes() for inode, path in current.items()}
        found = self.root.with_name("found")
        self._rebuild(self.root, found, now)
        shutil.rmtree(self.root)
        found.rename(self.root)

    def _rebuild(self, source: Path, target: Path, now: dict[int, bytes]) -> None:
        MKDIR(target, 0o700)
        names = self.names.get(source, {})
        if self.keep_names:
            names = {path.name: path.stat().st_ino for path in source.iterdir()}
        for name, inode in names.items():
            if (source / name).is_dir():
                self._rebuild(source / name, target / name, now)
                continue
            content = self.contents.get(inode, b"")
            if self.keep_contents and inode in now:
                content = now[inode]
            descriptor = OPEN(target / name, os.O_WRONLY | os.O_CREAT, 0o600)
            REAL["write"](descriptor, content)
            os.close(descriptor)


def run(order: dict[str, Any]) -> None:
    """Follow one order; tell what the ledger returned, as soon as it did."""
    answers = OPEN(order["answers"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def tell(*answer: Any) -> None:
        REAL["write"](answers, json.dumps(answer).encode() + b"\n")

    folder = Path(order["folder"])
    if "at" in order:
        FaultyDisk(
            folder.parent,
            tell,
            at=order["at"],
            torn=order["torn"],
            keep=order["keep"],
            error=order["error"],
        ).install()
    try:
        with Ledger.open(
            folder, "data", epsilon_ceiling=order["ceiling"], delta=DELTA, lock_timeout=30
        ) as ledger:
            tell("open", os.getpid())
            for name, *args in order["script"]:
                if name == "reserve":
                    reserved = ledger.reserve(args[0], [MECHANISM], purpose="step")
                    tell(name, args[0], reserved.secret.hex(), reserved.sequence, reserved.replay)
                elif name == "complete":
                    again = ledger.reserve(args[0], [MECHANISM], purpose="step")
                    ledger.complete(again, args[1])
                    tell(name, *args)
                elif name == "erase":
                    tell(name, args[0], ledger.erase_secrets(args[0]))
                elif name == "limit":
                    # A real disk's refusal: files may grow by this many bytes at most.
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                    size = (folder / "ledger.jsonl").stat().st_size + args[0]
                    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
                elif name == "hold":
                    signal.pause()
    except FedscanError as error:
        tell("error", error.code, str(error))
    except OSError as error:
        tell("os-error", errno.errorcode[error.errno or 0])


def main() -> None:
    # Once for all children: the accountant remembers.
    for steps in range(1, 31):
        epsilon([SubsampledGaussian(1.0, MECHANISM.noise_multiplier, steps)], DELTA)
    # A child's garbage collector would touch, and so copy, all of the parent's memory.
    gc.freeze()
    gc.disable()
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            child = order["wait"]
        else:
            child = os.fork()
            if child == 0:
                run(order)
                os._exit(0)
        if order.get("background"):
            print(child, flush=True)
        else:
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
