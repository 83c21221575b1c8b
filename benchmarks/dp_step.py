"""Time and peak memory of one training step, private and not, at equal rows.

    python benchmarks/dp_step.py [--case 48x4 --case 16x4] [--subset lora] [--repeats 9]
    python benchmarks/dp_step.py --size 128 --case 16x4
    python benchmarks/dp_step.py --size sd-half --case 8x1 --rows-at-once 1 --alone --repeats 3

The first case is a step of the study in benchmarks/phantom_hospitals.toml: about 48 patients of
four draws each. The second is a small step, where there is little to save.

Compared, on the U-Net that fedscan trains, each from drawing the rows to the changed weights:

- ``sgd``: one backward pass over all rows, no privacy;
- ``sgd in chunks``: the same gradient from as many rows at once as ``fedscan`` takes;
- ``fedscan``: the engine that private training chooses by itself, with clipping and noise;
- ``loop``: private, one patient after the other by ordinary back-propagation;
- ``vmap``: private, ``torch.func.vmap`` over chunks of four patients;
- ``opacus hooks``: private, a gradient per row from Opacus' hooks, summed for each patient;
- ``fedscan bfloat16``: as ``fedscan``, with ``trainable.frozen_weights=bfloat16``.

Sizes are those of fedscan's bases (``128`` is the one of 128 pixels), ``sd``: the U-Net of Stable
Diffusion 1.5 (860 million weights, 3.4 GB in each variant) for images of 256 pixels, and
``sd-half``: the same widths with three of its four resolutions and one block at each (316 million),
for a machine of a few gigabytes. ``--alone`` holds one variant in memory at a time, and so takes
the times of each variant one after the other.

All of them clip the same draws, and the private ones must agree on the sum. Every variant lives
in a process of its own, with one thread. Times are medians of processor time over steps taken in
turn, so a busy machine slows all alike (not with ``--alone``). Memory is the process's peak during
its first steps, above what it held before them.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import itertools
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from dp_engines import (
    STABLE_DIFFUSION,
    HookGradients,
    RandomRows,
    VmapGradients,
    built,
    chunks,
)
from fedscan.model.settings import TrainableSettings
from fedscan.model.trainable import select_trainable
from fedscan.privacy.descent import Descent, DescentSettings
from fedscan.privacy.engines import choose_engine
from fedscan.privacy.gradients import LoopGradients, PatientGradients, PatientLoss, patient_stream
from fedscan.privacy.layerwise import LayerwiseGradients
from fedscan.privacy.noise import release
from fedscan.privacy.stream import SecretStream
from torch import nn

CLIP_NORM = 0.1
NOISE_MULTIPLIER = 1.0
MEMORY_STEPS = 2
HALF = "fedscan bfloat16"
VARIANTS = ("sgd", "sgd in chunks", "fedscan", "loop", "vmap", "opacus hooks", HALF)


def plain_step(
    parameters: Mapping[str, nn.Parameter],
    patients: int,
    loss: RandomRows,
    optimizer: torch.optim.Optimizer,
    stream: SecretStream,
    at_once: int,
) -> None:
    for chunk in chunks(range(patients), at_once):
        examples = [loss.draw(i, patient_stream(stream, i)) for i in chunk]
        columns = tuple(torch.cat(column) for column in zip(*examples, strict=True))
        (loss.row_losses(columns).sum() / (patients * loss.draws)).backward()
    optimizer.step()
    optimizer.zero_grad()


def private_step(
    parameters: Mapping[str, nn.Parameter],
    patients: int,
    loss: PatientLoss,
    engine: PatientGradients,
    descent: Descent,
    stream: SecretStream,
) -> None:
    total = engine.clipped_sum(parameters, range(patients), loss, CLIP_NORM, stream)
    noisy = release(total, NOISE_MULTIPLIER * CLIP_NORM, stream.child("noise"))
    descent.step(noisy / patients)


def work(
    pipe: Connection,
    variant: str,
    size: str,
    subset: str,
    patients: int,
    rows: int,
    rows_at_once: int | None,
) -> None:
    """Build a variant, send its memory and the norm of its sum, then a time per request."""
    torch.set_num_threads(1)
    generator, kind = built(size), "bfloat16" if variant == HALF else "float32"
    settings = TrainableSettings(subset=subset, lora_rank=4, frozen_weights=kind)
    parameters = select_trainable(generator, settings)
    loss = RandomRows(generator, rows)
    stream = SecretStream(bytes(32), "benchmark")
    numbers = itertools.count()
    step, engine = make_step(variant, parameters, loss, patients, rows_at_once)

    def next_step() -> None:
        step(stream.child(f"step {next(numbers)}"))

    norm = 0.0
    if engine is not None:
        # Also loads code and lets the engine check itself before anything is measured.
        norm = float(
            engine.clipped_sum(parameters, range(patients), loss, CLIP_NORM, stream).norm()
        )
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = status_kib("VmRSS")
    for _ in range(MEMORY_STEPS):
        next_step()
    peak = (status_kib("VmHWM") - before) / 1024
    pipe.send((peak, norm, sum(p.numel() for p in parameters.values())))
    while pipe.recv():
        begin = time.process_time()
        next_step()
        pipe.send(time.process_time() - begin)


def make_step(
    variant: str,
    parameters: dict[str, nn.Parameter],
    loss: RandomRows,
    patients: int,
    rows_at_once: int | None,
) -> tuple[Callable[[SecretStream], None], PatientGradients | None]:
    method = choose_engine("auto", parameters, loss, rows_at_once)
    if variant.startswith("sgd"):
        at_once = patients
        if variant == "sgd in chunks":
            together = isinstance(method, LayerwiseGradients)
            at_once = max(1, method.rows_at_once // loss.draws) if together else 1
        optimizer = torch.optim.Adam(parameters.values(), lr=1e-4, fused=True)
        return (
            lambda stream: plain_step(parameters, patients, loss, optimizer, stream, at_once),
            None,
        )
    engines: dict[str, Callable[[], PatientGradients]] = {
        "fedscan": lambda: method,
        "loop": LoopGradients,
        "vmap": VmapGradients,
        "opacus hooks": lambda: HookGradients(loss.module),
        HALF: lambda: method,
    }
    engine = engines[variant]()
    descent = Descent(parameters, DescentSettings(learning_rate=1e-4))
    return (
        lambda stream: private_step(parameters, patients, loss, engine, descent, stream),
        engine,
    )


def status_kib(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise SystemExit(f"This system does not report {field}.")


def compare(
    size: str,
    subset: str,
    patients: int,
    rows: int,
    repeats: int,
    *,
    variants: Sequence[str],
    rows_at_once: int | None,
    alone: bool,
) -> None:
    context = multiprocessing.get_context("spawn")
    pipes, times, first = {}, {name: [] for name in variants}, {}

    def take_times(names: Sequence[str]) -> None:
        for _ in range(repeats):
            for name in names:
                pipes[name].send(True)
                times[name].append(pipes[name].recv())
        for name in names:
            pipes[name].send(False)
            processes[name].join()

    processes = {}
    for name in variants:
        pipes[name], theirs = context.Pipe()
        processes[name] = context.Process(
            target=work,
            args=(theirs, name, size, subset, patients, rows, rows_at_once),
            daemon=True,
        )
        processes[name].start()
        # One after the other, so that nothing else disturbs the memory.
        first[name] = pipes[name].recv()
        if alone:
            take_times([name])
    norms = [norm for name, (_, norm, _) in first.items() if norm and name != HALF]
    if norms and max(norms) > (1 + 1e-4) * min(norms):
        raise SystemExit(f"The private variants do not agree: {norms}")
    if not alone:
        take_times(variants)
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(
        f"\n{patients} patients x {rows} rows, {size} U-Net, {subset}: "
        f"{first[variants[0]][2]:,} parameters train"
    )
    print(f"{'':16}{'ms':>9}{'x sgd':>8}{'fastest':>9}{'peak MB':>9}{'x opacus':>10}")
    for name in variants:
        by_sgd = f"{medians[name] / medians['sgd']:8.2f}" if "sgd" in variants else ""
        by_opacus = ""
        if "opacus hooks" in variants:
            by_opacus = f"{first[name][0] / first['opacus hooks'][0]:10.2f}"
        print(
            f"{name:16}{1e3 * medians[name]:9.0f}{by_sgd:>8}"
            f"{1e3 * min(times[name]):9.0f}{first[name][0]:9.0f}{by_opacus:>10}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--case", action="append", help="patients x rows, such as 48x4; can be repeated"
    )
    parser.add_argument("--subset", action="append", choices=("attention", "lora", "all"))
    parser.add_argument(
        "--size", default="small", choices=("tiny", "small", "128", "base", *STABLE_DIFFUSION)
    )
    parser.add_argument("--variant", action="append", choices=VARIANTS)
    parser.add_argument(
        "--rows-at-once", type=int, help="of fedscan; by default what it takes with memory enough"
    )
    parser.add_argument("--alone", action="store_true", help="one variant in memory at a time")
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    print(
        f"torch {torch.__version__}, one thread of {os.cpu_count()} ({platform.processor()}), "
        f"load {load:.1f} at the start, {arguments.repeats} steps each"
    )
    for subset in arguments.subset or ["lora", "attention"]:
        for case in arguments.case or ["48x4", "16x4"]:
            patients, rows = map(int, case.split("x"))
            compare(
                arguments.size,
                subset,
                patients,
                rows,
                arguments.repeats,
                variants=arguments.variant or VARIANTS,
                rows_at_once=arguments.rows_at_once,
                alone=arguments.alone,
            )


if __name__ == "__main__":
    main()
