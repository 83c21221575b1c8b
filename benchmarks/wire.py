"""What a round puts on the wire, and what it costs beyond training.

Run: python benchmarks/wire.py [--base FOLDER] [--rounds 2] [--patients 8 6 6]

First the bytes of a round for one site, request and answer as Flower's messages, for each part
of the generator that can train and each form of the update. The answer is that of a step with
Gaussian noise: what travels after private training looks like it and compresses no better. Plain
FedAvg is the whole generator in float32 both ways, as Flower's own strategies send it.

Then the processor seconds of a round that are not training, in three phantom hospitals in this
process: messages, packing, checks, ledger, aggregation, checkpoint. Processor seconds, because
they do not depend on what else the machine does. The first round is left out, because it also
plans the noise of the whole study.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np
from fedscan.client.answers import round as site_round
from fedscan.config.study import Study, load_study
from fedscan.federation.protocol import RoundReply, RoundRequest
from fedscan.federation.wire import Form, decode, encode
from fedscan.model.settings import Subset, TrainableSettings
from fedscan.model.storage import generator_digest, load_generator, shipped_base
from fedscan.model.trainable import select_trainable
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.settings import PhantomSettings
from fedscan.server.events import Event, RoundFinished
from fedscan.server.terms import site_terms
from fedscan.simulation.run import simulate
from flwr.app import Array, ArrayRecord, RecordDict
from flwr.common.serde import recorddict_to_proto

Tensors = dict[str, np.ndarray]
NOISE = 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, default=shipped_base())
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--patients", type=int, nargs="+", default=[8, 6, 6])
    options = parser.parse_args()
    print_bytes(options.base)
    print()
    print_seconds(options.base, options.patients, options.rounds)


def print_bytes(base: Path) -> None:
    plain = plain_fedavg(base)
    print("| What trains | Numbers | Form | Request | Answer | Round | of plain FedAvg | Packing |")
    print("|---|---|---|---|---|---|---|---|")
    for subset in get_args(Subset):
        model = trainable(base, subset)
        for form in get_args(Form):
            request, reply, seconds = messages(base, subset, form, model)
            total = request + reply
            print(
                f"| {subset} | {sum(array.size for array in model.values()):,} | {form} "
                f"| {shown(request)} | {shown(reply)} | {shown(total)} | {total / plain:.2%} "
                f"| {seconds * 1e3:.0f} ms |",
                flush=True,
            )
    print(f"| plain FedAvg, whole generator | | float32 | {shown(plain // 2)} "
          f"| {shown(plain // 2)} | {shown(plain)} | 100% | |")  # fmt: skip
    start = trainable(base, "attention")
    print(
        f"\nOnce for each site, where the study has its default warm-up: "
        f"{shown(sum(array.nbytes for array in start.values()))} of changed attention layers."
    )


def trainable(base: Path, subset: Subset) -> Tensors:
    parameters = select_trainable(load_generator(base), TrainableSettings(subset=subset))
    return {name: value.detach().numpy().copy() for name, value in parameters.items()}


def plain_fedavg(base: Path) -> int:
    """Return the bytes of a round that sends everything both ways."""
    state = load_generator(base).state_dict()
    arrays = ArrayRecord({name: Array(value.float().numpy()) for name, value in state.items()})
    return 2 * size(RecordDict({"arrays": arrays}))


def messages(base: Path, subset: Subset, form: Form, model: Tensors) -> tuple[int, int, float]:
    """Return the bytes of request and answer, and the seconds of all packing and unpacking."""
    rng = np.random.default_rng(0)
    weights = {
        name: value + rng.normal(0, NOISE, value.shape).astype(np.float32)
        for name, value in model.items()
    }
    study = study_of(base, f"trainable.subset={subset}", f"federation.wire={form}")
    request = RoundRequest(
        round=1,
        rounds=study.federation.rounds,
        base=generator_digest(base),
        terms=site_terms(study),
        tensors=model,
    )
    start = time.perf_counter()
    question = request.to_records()
    at_site = RoundRequest.from_records(question)
    update, _ = encode(form, at_site.tensors, weights)
    answer = RoundReply(site="site", request=request.digest(), tensors=update).to_records()
    decode(form, model, RoundReply.from_records(answer).tensors)
    return size(question), size(answer), time.perf_counter() - start


def print_seconds(base: Path, patients: list[int], rounds: int) -> None:
    print("| What trains | Form | Processor seconds of a round | of which not training |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "hospitals")
        # What is not training does not depend on how much is trained on.
        write_hospitals(data, PhantomSettings(patients=tuple(patients), slices=2))
        for subset, form in (("lora", "float32"), ("lora", "int8"), ("attention", "int8")):
            study = study_of(
                base,
                f"trainable.subset={subset}",
                f"federation.wire={form}",
                f"federation.rounds={rounds}",
                "evaluation.preview_prompts=[]",
                "local.steps=2",
            )
            whole, outside = seconds(study, data, Path(folder, f"{subset}-{form}"))
            print(f"| {subset} | {form} | {whole:.2f} | {outside:.2f} |", flush=True)


def seconds(study: Study, data: Path, out: Path) -> tuple[float, float]:
    """Return the mean seconds of the rounds after the first, and what is not training of them."""
    original, training, marks = site_round.run_private_steps, [0.0], []

    def timed(*arguments: Any, **options: Any) -> Any:
        start = time.process_time()
        result = original(*arguments, **options)
        training[0] += time.process_time() - start
        return result

    def watch(event: Event) -> None:
        if isinstance(event, RoundFinished):
            marks.append((time.process_time(), training[0]))

    site_round.run_private_steps = timed
    try:
        simulate(study, data, out, workers=1, evaluate=False, progress=watch)
    finally:
        site_round.run_private_steps = original
    (first, trained_first), (last, trained_last) = marks[0], marks[-1]
    rounds = len(marks) - 1
    return (last - first) / rounds, (last - first - trained_last + trained_first) / rounds


def study_of(base: Path, *changes: str) -> Study:
    size = load_generator(base).image_size
    return load_study(None, [f"generator.base={base}", f"data.image_size={size}", *changes])


def size(records: RecordDict) -> int:
    return int(recorddict_to_proto(records).ByteSize())


def shown(count: Any) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


if __name__ == "__main__":
    main()
