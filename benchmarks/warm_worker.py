"""What a message costs a site beyond training: with a process of its own, and with the warm worker.

Run: python benchmarks/warm_worker.py [--base FOLDER …] [--size base] [--patients 60] [--messages 6]

A site with made-up chest films is asked for one private round after the other, through Flower's own
API, by the processes that its daemon starts; timed is from a message's arrival at the node to its
answer's. The rounds train next to nothing (at a sample rate of 0.0001 nearly always nobody is
drawn), so what is left is what a message costs beside training: finding the task, the process,
opening base and data, digests, accounting, ledger, checks. Messages with a process of their own and
those of the warm worker take turns, so both see the same machine, and all files are in the
operating system's memory for both. Memory at rest is what the worker shares with no other process
when it has answered.

Measured are the named bases and, with --size, an untrained one of that architecture; the shipped
one if nothing is named.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
from fedscan.client.policy import SitePolicy, write_policy
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.data_sets import DataSet, Registry
from fedscan.client.steward.enrolment import init_site
from fedscan.client.steward.home import SiteHome, SiteSettings
from fedscan.client.workspace.opened import open_generator
from fedscan.config.study import load_study
from fedscan.federation.invitation import Invitation
from fedscan.federation.protocol import OK, RoundReply, RoundRequest
from fedscan.model.generator import build_generator
from fedscan.model.outline import read_image_sizes
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import generator_digest, save_generator, shipped_base
from fedscan.server.terms import site_terms

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
from site_node import SiteNode
from tiny_hospitals import write_hospitals

#: A worker that has answered needs a moment before it is free, or gone.
_BETWEEN_S = 2.0


_KINDS = {"a process each": 0.0, "warm worker": 10.0}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", action="append", type=Path, default=[])
    parser.add_argument("--size", action="append", default=[], help="tiny, small, 128 or base")
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--messages", type=int, default=6, help="of each kind")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bases = [*options.base]
        for size in options.size:
            bases.append(Path(folder) / f"built-{size}")
            save_generator(build_generator(GeneratorSettings(size=size)), bases[-1])
        for number, base in enumerate(bases or [shipped_base()]):
            measure(Path(folder) / str(number), base, options.patients, options.messages)


def measure(folder: Path, base: Path, patients: int, messages: int) -> None:
    """Print one base's rows."""
    home = make_site(folder, base, patients)
    requests = iter(make_requests(base, 1 + 4 * messages))
    first = next(requests)
    terms = Invitation(name="bench", rounds=first.rounds, base=first.base, terms=first.terms)
    Approvals(home).approve(terms, "chest")
    seconds: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    with SiteNode(home) as node:
        began = ask(node, first)  # encodes the images, and plans the noise of the study
        for _ in range(messages):
            for kind, minutes in _KINDS.items():
                # Answered by a process of the other kind, which leaves one of this kind, or none.
                home.change_settings(warm_minutes=minutes)
                ask(node, next(requests))
                time.sleep(_BETWEEN_S)
                seconds[kind].append(ask(node, next(requests)))
                time.sleep(_BETWEEN_S)
        (worker,) = node.apps
        memory = private_memory(worker)
    size = sum(file.stat().st_size for file in base.rglob("*") if file.is_file())
    print(f"{base.name}, {size / 1e6:.0f} MB, {patients} patients: first message {began:.2f} s")
    for kind, times in seconds.items():
        print(
            f"  {kind}: median {median(times):.2f} s of {len(times)} messages "
            f"({min(times):.2f} to {max(times):.2f})"
        )
    print(f"  the worker at rest: {memory / 1e6:.0f} MB", flush=True)


def make_site(folder: Path, base: Path, patients: int) -> SiteHome:
    """Set up a site with one data set."""
    init_site(folder / "site", SiteSettings(name="site", base=str(base)))
    home = SiteHome.open(folder / "site")
    write_hospitals(folder / "scans", {"chest": patients})
    Registry(home).add(DataSet(name="chest", folder=str(folder / "scans" / "chest")))
    write_policy(home.policy, SitePolicy(min_patients=1))
    return home


def make_requests(base: Path, rounds: int) -> Iterator[RoundRequest]:
    """Yield the requests of a study that trains next to nothing."""
    side = read_image_sizes(base)[0]
    study = load_study(
        None,
        [
            f"generator.base={base}",
            f"data.image_size={side}",
            "data.holdout_fraction=0.0",
            "privacy.sample_rate=0.0001",
            "local.steps=1",
            f"federation.rounds={rounds}",
        ],
    )
    parameters = open_generator(base, study.trainable, "cpu", image_size=side).parameters
    shapes = {name: tuple(value.shape) for name, value in parameters.items()}
    digest, terms = generator_digest(base), site_terms(study)
    del parameters
    for number in range(1, rounds + 1):
        yield RoundRequest(
            round=number,
            rounds=rounds,
            base=digest,
            terms=terms,
            tensors={
                name: np.full(shape, 1e-3 * number, np.float32) for name, shape in shapes.items()
            },
        )


def ask(node: SiteNode, request: RoundRequest) -> float:
    """Ask for a round; return the seconds until its answer."""
    content, begin = request.to_records(), time.perf_counter()
    answer = node.ask(content)
    seconds = time.perf_counter() - begin
    code = RoundReply.from_records(answer.content).code
    if code != OK:
        raise SystemExit(f"The site answered {code}.")
    return seconds


def private_memory(pid: int) -> int:
    """Return the bytes that a process shares with no other."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Private_"))


if __name__ == "__main__":
    main()
