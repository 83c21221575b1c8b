"""A joint study of many sites, simulated: time and memory of a round.

Run: OMP_NUM_THREADS=1 nice python benchmarks/joint_simulation.py [--sites 100] [--patients 200]

Every site has so many made-up patients of one image of 32 x 32 pixels. They train the attention
layers of a tiny generator of random weights, so that what is measured is what sites cost and not
what a network costs: keys, roster, terms, ledgers, draws, clipping, noise, the masks between all
pairs of sites, sums, checks and the loss on public images. Memory is the largest of this process
and of the largest of its workers, PyTorch included. Beside the time by the clock is the processor
time of this process, which hardly depends on what else the machine does: with --workers 1 it is
that of all sites and of the coordinator.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from fedscan.config.study import load_study
from fedscan.model.generator import build_generator
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import save_generator
from fedscan.server.events import Event, RoundFinished
from fedscan.server.joint.events import PartReady, PartReceived, RosterMade
from fedscan.simulation.run import simulate
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    generate_uid,
)

SIDE = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=100)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, base, out = (Path(folder, name) for name in ("hospitals", "base", "out"))
        save_generator(build_generator(GeneratorSettings(size="tiny")), base)
        begin = TwoClocks()
        for number in range(options.sites):
            write_hospital(data / f"site-{number:03}", number, options.patients)
        say(f"{options.sites} x {options.patients} patients written", begin)
        study = load_study(
            None,
            [
                f"generator.base={base}",
                f"data.image_size={SIDE}",
                "trainable.subset=attention",
                "privacy.sum=joint",
                "privacy.epsilon=8",
                "privacy.clip_norm=1.0",
                "privacy.draws_per_patient=1",
                f"privacy.min_sites={max(3, options.sites * 9 // 10)}",
                "privacy.spare_attempts=1",
                "local.steps=1",
                "evaluation.preview_prompts=[]",
                f"federation.rounds={options.rounds}",
                f"federation.expected_sites={options.sites}",
                *options.set,
            ],
        )
        watch = RoundTimes()
        simulate(study, data, out, workers=options.workers, evaluate=False, progress=watch)
    for who, name in ((resource.RUSAGE_SELF, "process"), (resource.RUSAGE_CHILDREN, "worker")):
        print(f"largest memory of the {name}: {resource.getrusage(who).ru_maxrss / 2**20:.2f} GiB")


class TwoClocks:
    """The clock and this process's processor time, from when it is made."""

    def __init__(self) -> None:
        self._clock, self._processor = time.monotonic(), time.process_time()

    def told(self) -> str:
        """Return the time since then."""
        clock, processor = time.monotonic() - self._clock, time.process_time() - self._processor
        return f"{clock:.1f} s ({processor:.1f} s of the processor)"


class RoundTimes:
    """Tells how long each part of a round takes, and the memory in use after it."""

    def __init__(self) -> None:
        self._begin = TwoClocks()
        self._ready = self._begin
        self._sites = self._parts = 0

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        if isinstance(event, RosterMade):
            self._sites = len(event.sites)
            self._say(f"indexed, keys given, roster of {self._sites} made")
        elif isinstance(event, PartReady):
            self._ready = TwoClocks()
        elif isinstance(event, PartReceived):
            self._parts += 1
            if event.round == 0 and self._parts == self._sites:
                self._say("what is counted once")
        elif isinstance(event, RoundFinished):
            self._say(
                f"round {event.round}, {self._parts} parts, of which {self._ready.told()} "
                "after all were ready"
            )

    def _say(self, what: str) -> None:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{what}: {self._begin.told()}; {memory:.2f} GiB", flush=True)
        self._begin, self._parts = TwoClocks(), 0


def say(what: str, begin: TwoClocks) -> None:
    print(f"{what}: {begin.told()}", flush=True)


def write_hospital(folder: Path, number: int, patients: int) -> None:
    """Write chest X-rays as a child draws them, every second one with a white spot."""
    folder.mkdir(parents=True)
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    lungs = sum(((columns - side) / 0.3) ** 2 + (rows / 0.6) ** 2 < 1 for side in (-0.45, 0.45))
    random = np.random.default_rng(number)
    for patient in range(patients):
        image = 160.0 - 90 * lungs + random.normal(0, 4, (SIDE, SIDE))
        if patient % 2:
            row, column = random.uniform(-0.3, 0.3), 0.45 * random.choice([-1, 1])
            image += 70 * ((columns - column) ** 2 + (rows - row) ** 2 < 0.03)
        pixels = np.clip(image, 0, 255).astype(np.uint8)
        finding = "Pneumonia" if patient % 2 else "No finding"
        save_film(folder / f"{patient:04}.dcm", pixels, f"{folder.name}-{patient}", finding)


def save_film(path: Path, pixels: np.ndarray, patient: str, finding: str) -> None:
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.SOPClassUID = DigitalXRayImageStorageForPresentation
    film.SOPInstanceUID = generate_uid(entropy_srcs=["image", patient])
    film.StudyInstanceUID = generate_uid(entropy_srcs=["study", patient])
    film.SeriesInstanceUID = generate_uid(entropy_srcs=["series", patient])
    film.PatientID, film.PatientName, film.PatientSex, film.PatientAge = patient, "", "F", "050Y"
    film.Modality, film.BodyPartExamined, film.ViewPosition = "DX", "CHEST", "PA"
    film.StudyDescription = f"Chest X-ray, {finding}"
    film.BurnedInAnnotation, film.PatientOrientation = "NO", ["L", "F"]
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.Rows, film.Columns = pixels.shape
    film.BitsAllocated = film.BitsStored = 8
    film.HighBit, film.PixelRepresentation = 7, 0
    film.PixelData = pixels.tobytes()
    film.save_as(path, enforce_file_format=True)


if __name__ == "__main__":
    main()
