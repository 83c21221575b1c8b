"""Time and memory that a simulated round takes for each of many sites.

Run: python benchmarks/many_sites.py [--sites 100] [--rounds 2] [--workers 2]

Phantom hospitals with a few patients each train privately on the base that ships, all sites in
every round, without evaluation. Hospitals are written beforehand and not counted. Printed are the
seconds of reading all scans once, of the rounds, and of the end (what is saved, and the report);
for each site and round the time by the clock and of all processors; and the largest memory of this
process and of a worker. With ``--out`` the run stays, with its report and what the dashboard shows.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from fedscan.config.study import load_study
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.settings import PhantomSettings
from fedscan.server.events import Event, RoundFinished
from fedscan.simulation.run import simulate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=100)
    parser.add_argument("--patients", type=int, default=6, help="patients of each site")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="folder to keep the run in")
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(options, options.out or Path(folder, "out"), Path(folder, "hospitals"))


def measure(options: argparse.Namespace, out: Path, data: Path) -> None:
    sizes = (options.patients,) * options.sites
    write_hospitals(
        data, PhantomSettings(patients=sizes, slices=4, workers=options.workers, mask_share=0.0)
    )
    study = load_study(None, [f"federation.rounds={options.rounds}", *options.set])
    rounds: list[float] = []
    marks = [time.perf_counter()]

    def watch(event: Event) -> None:
        if isinstance(event, RoundFinished):
            rounds.append(event.seconds)
            marks.append(time.perf_counter())
            print(
                f"round {event.round}: {event.results} results, {event.seconds:.1f} s", flush=True
            )

    with UsageWatch() as usage:
        simulate(study, data, out, workers=options.workers, evaluate=False, progress=watch)
    end, site_rounds = time.perf_counter(), options.sites * options.rounds
    print(f"{options.sites} sites x {options.rounds} rounds, {options.workers} workers, ", end="")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the end")
    for name, seconds in (
        ("reading the scans", marks[1] - marks[0] - rounds[0]),
        ("rounds", sum(rounds)),
        ("saving and report", end - marks[-1]),
        ("processors, all of it", usage.seconds),
    ):
        print(f"{name:22}{seconds:8.1f} s {1e3 * seconds / site_rounds:8.0f} ms a site-round")
    print(f"most memory: {usage.own:.0f} MB this process, {usage.largest:.0f} MB a worker")


class UsageWatch:
    """What this process and its workers use, looked at a few times a second.

    Workers are children of a fork server, so their use is in no usage of children.
    """

    def __enter__(self) -> UsageWatch:
        self._end, self._seconds, self.largest = threading.Event(), dict[int, float](), 0.0
        self._before = time.process_time()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()
        self.seconds = time.process_time() - self._before + sum(self._seconds.values())
        self.own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def _look(self) -> None:
        while not self._end.wait(0.1):
            for process in multiprocessing.active_children():
                with suppress(OSError):
                    # After the name in parentheses: fields 14 and 15 are the ticks of both kinds.
                    text = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
                    ticks = int(text[11]) + int(text[12])
                    self._seconds[process.pid] = ticks / os.sysconf("SC_CLK_TCK")
                    status = Path(f"/proc/{process.pid}/status").read_text()
                    peak = status.partition("VmHWM:")[2].split()[0]
                    self.largest = max(self.largest, int(peak) / 1024)


if __name__ == "__main__":
    main()
