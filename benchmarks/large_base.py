"""One round of two sites on a base of Stable Diffusion 1.5's true size: memory and processor time.

Run: python benchmarks/large_base.py [--size 256] [--patients 6] [--workers 2] [--set …]

The networks have the architecture and the size of Stable Diffusion 1.5 (860 million weights in the
U-Net alone) and random weights, so nothing has to be fetched; what they draw is noise. Two phantom
hospitals train one round with the settings of docs/large-bases.md. Printed are the most memory that
all processes together took (shared pages counted once), processor seconds, and whether diffusers
alone opens the result and draws. Takes about 12 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from fedscan.config.study import load_study
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.settings import PhantomSettings
from fedscan.simulation.run import simulate
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

_SECONDS_BETWEEN_LOOKS = 0.5
_OPEN_AND_DRAW = """
import sys, torch
from diffusers import StableDiffusionPipeline
pipeline = StableDiffusionPipeline.from_pretrained(sys.argv[1], torch_dtype=torch.bfloat16)
size = int(sys.argv[2])
image = pipeline("head", num_inference_steps=1, height=size, width=size).images[0]
print(f"diffusers alone: {type(pipeline.unet).__name__} draws {image.size}")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256, help="side of the images in pixels")
    parser.add_argument("--patients", type=int, default=6, help="of each of the two sites")
    parser.add_argument("--steps", type=int, default=2, help="of the round")
    parser.add_argument("--workers", type=int, default=2, help="sites that compute at once")
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base, data, out = (Path(folder, name) for name in ("base", "hospitals", "out"))
        write_base(base)
        write_hospitals(data, PhantomSettings(patients=(options.patients,) * 2, contrasts=("CT",)))
        study = load_study(
            None,
            [
                f"generator.base={base}",
                f"data.image_size={options.size}",
                "federation.rounds=1",
                f"local.steps={options.steps}",
                "trainable.frozen_weights=bfloat16",
                *options.set,
            ],
        )
        with most_memory() as peak:
            seconds, processor = time.perf_counter(), processor_seconds()
            simulate(study, data, out, workers=options.workers, evaluate=False)
            seconds = time.perf_counter() - seconds
            processor = processor_seconds() - processor
        print(
            f"most memory {peak[0] / 1e9:.1f} GB, {processor:.0f} s of processor, {seconds:.0f} s"
        )
        command = [sys.executable, "-c", _OPEN_AND_DRAW, str(out / "generator"), str(options.size)]
        subprocess.run(command, check=True)


def write_base(folder: Path) -> None:
    """Write a pipeline folder of Stable Diffusion 1.5's size with random weights."""
    torch.manual_seed(0)
    # An ordinary start of 860 million random weights takes minutes, and nobody sees its images.
    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
        autoencoder = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            sample_size=512,
        )
    for network in (unet, autoencoder):
        network.to_empty(device="cpu")
        for name, value in network.state_dict().items():
            fill(name, value)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "words").mkdir(parents=True)
    vocabulary, merges = folder / "words" / "vocab.json", folder / "words" / "merges.txt"
    vocabulary.write_text(json.dumps({word: number for number, word in enumerate(words)}))
    merges.write_text("#version: 0.2\n")
    encoder = CLIPTextModel(
        CLIPTextConfig(
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
            bos_token_id=len(words) - 2,
            eos_token_id=len(words) - 1,
            pad_token_id=len(words) - 1,
        )
    )
    StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=encoder,
        tokenizer=CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77),
        unet=unet,
        scheduler=PNDMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def fill(name: str, value: torch.Tensor) -> None:
    """Give a weight numbers at which signals neither die nor grow."""
    if value.ndim > 1:
        torch.nn.init.normal_(value, std=value[0].numel() ** -0.5)
    else:
        torch.nn.init.constant_(value, 0.0 if name.endswith("bias") else 1.0)


@contextmanager
def most_memory() -> Iterator[list[int]]:
    """Look at the memory of this process and its children while a block runs, in bytes."""
    peak, end = [0], threading.Event()

    def look() -> None:
        while not end.wait(_SECONDS_BETWEEN_LOOKS):
            peak[0] = max(peak[0], sum(proportional(process) for process in family(os.getpid())))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        end.set()
        thread.join()


def family(process: int) -> Iterator[int]:
    """Yield a process and all that came from it."""
    yield process
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from family(int(child))


def proportional(process: int) -> int:
    """Return a process's share of memory: what several share is divided among them (Linux)."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text("ascii")
    except OSError:
        return 0
    return 1024 * int(text.partition("\nPss:")[2].split()[0])


def processor_seconds() -> float:
    """Return what this process and those of its children that ended have taken."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
