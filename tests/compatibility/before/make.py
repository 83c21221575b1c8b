"""Makes the other files of this folder, with the fedscan of the commit that README.md names.

``python make.py TOOLS WORK OUT``: TOOLS is the folder of that commit with ``tiny_hospitals.py``,
WORK an absolute path that stays in some of the files, OUT gets them. It runs commands as people
do, takes minutes, and needs nginx. Its imports are those of that commit.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from fedscan import __version__
from fedscan.bundle import build_bundle, bundle_hash
from fedscan.client.daemon.approvals import Approvals
from fedscan.client.daemon.home import SiteHome
from fedscan.invitation import Invitation
from fedscan.model.generator import build_generator
from fedscan.model.sampling import sample
from fedscan.model.settings import GeneratorSettings
from fedscan.model.storage import generator_digest, load_generator, save_generator
from fedscan.readers.answers import Answer, AnswerBook
from fedscan.readers.study import ReaderStudy

TOOLS, WORK, OUT = (Path(word).absolute() for word in sys.argv[1:])
FEDSCAN = (sys.executable, "-c", "from fedscan.cli.main import run; run()")

#: When all scans were changed last: a site's caches and payments depend on it.
CHANGED_NS = 1_700_000_000_000_000_000
PROMPTS = ("chest X-ray, PA view", "chest X-ray, PA view, pneumonia", "axial CT slice of the head")
DRAW = {"seed": 5, "steps": 4, "guidance_scale": 2.0}

TINY = (
    "generator.base=generator",
    "data.image_size=32",
    "data.holdout_fraction=0.5",
    "trainable.lora_rank=1",
    "privacy.clip_norm=1.0",
    "privacy.draws_per_patient=1",
    "local.steps=2",
    "federation.rounds=3",
    "evaluation.preview_prompts=['chest X-ray, PA view']",
    "evaluation.samples=16",
    "evaluation.samples_per_class=8",
    "evaluation.real_images=16",
    "evaluation.searched_images=16",
    "evaluation.steps=1",
    "evaluation.classifier_steps=10",
    "evaluation.classifier_seeds=1",
    "evaluation.bootstrap=100",
    "evaluation.min_patients_per_class=2",
    "evaluation.gallery_prompts=1",
    "evaluation.gallery_columns=2",
    "examination.real_images=8",
    "examination.synthetic_images=6",
    "examination.utility_seeds=2",
    "examination.utility_steps=10",
)
PRIVATE = (
    *TINY,
    "name=private",
    "warm_up.subset=adapters",
    "warm_up.images=16",
    "warm_up.steps=2",
    "federation.strategy=fedavgm",
    "federation.ema_decay=0.5",
    "federation.wire=int8",
)
OPEN = (*TINY, "name=open", "privacy.enabled=false", "warm_up.enabled=false")
LUNGS = (
    *TINY,
    "generator.base={base}",
    "name=lungs",
    "warm_up.enabled=false",
    "privacy.statistics_share=0",
    "federation.rounds=2",
    "federation.min_results=1",
    "federation.approval_timeout_s=0",
)


def options(settings: tuple[str, ...]) -> list[str]:
    """Return settings as words of a command."""
    return [word for one in settings for word in ("--set", one)]


def fedscan(*words: object) -> str:
    """Run a command in WORK; return what it printed."""
    done = subprocess.run(
        [*FEDSCAN, *map(str, words)], cwd=WORK, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def start(*words: object) -> subprocess.Popen[bytes]:
    """Start a command in WORK, in a process group of its own."""
    return subprocess.Popen([*FEDSCAN, *map(str, words)], cwd=WORK, start_new_session=True)


def until(condition: Callable[[], object], limit_s: float = 300.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def sha256(content: bytes) -> str:
    """Return a digest in hex."""
    return hashlib.sha256(content).hexdigest()


def copy(source: Path, target: Path, *left_out: str) -> None:
    """Copy a folder but for files and folders of these names."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*left_out))


def make_generator() -> dict[str, object]:
    """Save the smallest generator, and images that it draws."""
    card = {"study": "before", "rounds": 0, "private": False, "epsilon": None, "delta": None}
    folder = OUT / "generator"
    save_generator(
        build_generator(GeneratorSettings(size="tiny"), seed=7), folder, card, half_precision=True
    )
    shutil.copytree(folder, WORK / "generator")
    images = sample(load_generator(folder), PROMPTS, **DRAW)
    np.savez_compressed(OUT / "images.npz", images=images)
    fedscan("generate", "generator", "--prompt", PROMPTS[0], "-n", 1, "--out", OUT / "generated")
    return {
        "digest": generator_digest(folder),
        "card": card,
        "prompts": PROMPTS,
        "draw": DRAW,
        "images": [sha256(image.tobytes()) for image in images],
    }


def make_scans() -> None:
    """Write two hospitals' chest X-rays, all changed at one moment."""
    sys.path.insert(0, str(TOOLS))
    from tiny_hospitals import write_hospitals

    write_hospitals(WORK / "scans", {"north": 6, "south": 6})
    for file in (WORK / "scans").rglob("*.dcm"):
        os.utime(file, ns=(CHANGED_NS, CHANGED_NS))
    shutil.copytree(WORK / "scans", OUT / "scans")


def make_studies() -> dict[str, str]:
    """Write configurations; return the digests of their values."""
    (OUT / "studies").mkdir()
    digests = {}
    for name, settings in {"defaults": (), "private": PRIVATE, "open": OPEN}.items():
        text = fedscan("config", *options(settings))
        (OUT / "studies" / f"{name}.toml").write_text(text)
        digests[name] = fedscan("config", *options(settings), "--digest").strip()
    return digests


def make_run(name: str, settings: tuple[str, ...]) -> dict[str, object]:
    """Kill a run between its first and its second round; finish it, and run it as a whole."""
    words = ["simulate", "--data", "scans", "--workers", 2, *options(settings), "--out"]
    half, finished, whole = (f"{name}-{part}" for part in ("half", "finished", "whole"))
    while True:
        shutil.rmtree(WORK / half, ignore_errors=True)
        process = start(*words, half, "--no-evaluate")
        until((WORK / half / "run" / "checkpoints" / "round-000001").exists)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        ledgers = (WORK / half / "sites").glob("*/ledger/ledger.jsonl")
        if not any('"round 2"' in ledger.read_text() for ledger in ledgers):
            break
    shutil.copytree(WORK / half, WORK / finished)
    fedscan(*words, finished, "--resume")
    # From the secrets of the finished run, which are those of its noise. That of the statistics
    # is erased by then, because a site keeps four: what came of them is taken over.
    shutil.copytree(WORK / finished / "sites", WORK / whole / "sites")
    if (warm_up := WORK / finished / "run" / "warm-up.safetensors").exists():
        (WORK / whole / "run").mkdir()
        shutil.copy(warm_up, WORK / whole / "run")
    fedscan(*words, whole, "--no-evaluate")
    digest = generator_digest(WORK / finished / "generator")
    assert digest == generator_digest(WORK / whole / "generator")

    left_out = ("cache", "starts", "lock", "*.lock", "previews", "round-000000")
    copy(WORK / half, OUT / name / "half", *left_out)
    for part in ("study.toml", "results.json", "run/history.jsonl", "run/events.jsonl"):
        (OUT / name / "finished" / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(WORK / finished / part, OUT / name / "finished" / part)
    last = "run/checkpoints/round-000003"
    shutil.copytree(WORK / finished / last, OUT / name / "finished" / last)
    for ledger in (WORK / finished / "sites").glob("*/ledger"):
        copy(ledger, OUT / name / "finished" / "sites" / ledger.parent.name / "ledger", "lock")
    return {"generator": digest}


def make_examination() -> None:
    """Examine the private run, and let two readers judge its images."""
    run = "private-finished"
    line = '[[line]]\nmeasure = "utility.auc_real"\nat_least = 0\nif_measured = true\n'
    (WORK / "gate.toml").write_text(line)
    fedscan("examine", run, "--data", "scans", "--only", "utility", "--gate", "gate.toml")
    copy(WORK / run / "examination", OUT / "examination", "*.html", "*.png", "*.svg")
    folder = OUT / "reader-study"
    fedscan("reader-study", "init", run, "--data", "scans", "--out", folder, "-n", 2)
    opened = ReaderStudy.open(folder)
    for item, synthetic in opened.key().items():
        for reader, rating in (("ann", 2 if synthetic else 3), ("bob", 3)):
            AnswerBook(opened).add(reader, Answer(item=item, rating=rating, seconds=1.5))
    fedscan("reader-study", "score", folder)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_federation() -> dict[str, object]:
    """Run a study of one site under a coordinator; leave another one waiting."""
    coordinator, home = ("--home", "coordinator"), ("--home", "site")
    fedscan(
        *("coordinator", "init", "--host", "127.0.0.1", "--listen", "127.0.0.1", *coordinator),
        *("--port", free_port(), "--superlink-port", free_port()),
    )
    for name in ("north", "south"):
        folder = "site" if name == "north" else "other-site"
        fedscan("site", "init", name, "--home", folder, "--base", WORK / "generator")
        request, welcome = f"{folder}/request.json", f"welcome-{name}.json"
        fedscan("coordinator", "enrol", name, "--request", request, "--out", welcome, *coordinator)
    fedscan("coordinator", "revoke", "south", *coordinator)
    policy = WORK / "site" / "policy.toml"
    text = policy.read_text()
    # One thread, so that a replay can come to the same bytes with any number of processors.
    for line in ("min_patients = 20 > 1", "epsilon_ceiling = 8.0 > 50.0", "cpu_threads = 0 > 1"):
        old, new = line.split(" > ")
        assert old in text
        text = text.replace(old, f"{old.split(' = ')[0]} = {new}")
    policy.write_text(text)
    fedscan("site", "join", "welcome-north.json", *home)
    fedscan("site", "add-data", "chest", "--folder", WORK / "scans" / "north", *home)
    lungs = tuple(one.format(base=WORK / "generator") for one in LUNGS)
    study = WORK / "coordinator" / "studies" / "lungs"
    fedscan("coordinator", "submit", *options(lungs), *coordinator)
    fedscan("site", "approve", study / "lungs.invitation.json", "--data", "chest", "--yes", *home)
    started = [start("coordinator", "start", *coordinator), start("site", "start", *home)]
    until(lambda: _phase(study) not in ("waiting", "running"))
    for process in reversed(started):
        process.send_signal(signal.SIGTERM)
        process.wait(120)
    assert _phase(study) == "finished"

    for number, name in enumerate(("later", "asked")):
        changes = (f"name={name}", f"federation.rounds={4 + number}")
        fedscan("coordinator", "submit", *options((*lungs, *changes)), *coordinator)
    invitations = {
        name: WORK / "coordinator" / "studies" / name / f"{name}.invitation.json"
        for name in ("lungs", "later", "asked")
    }
    fedscan("site", "approve", invitations["later"], "--data", "chest", "--yes", *home)
    asked = Invitation.from_json(invitations["asked"].read_bytes())
    Approvals(SiteHome.open(WORK / "site")).remember(asked)
    # The generator is the coordinator's largest file, and the base with a few other tensors.
    digest = generator_digest(study / "generator")
    copy(
        WORK / "coordinator",
        OUT / "coordinator",
        *("generator", "previews", "logs", "proxy", "*.log", "*.lock", "lock", "state.db*"),
        *("nginx-*", "round-000000"),
    )
    copy(WORK / "site", OUT / "site", "logs", "run", "lock", ".lock", "starts")
    return {
        "generator": digest,
        "studies": {
            name: Invitation.from_json(file.read_bytes()).digest
            for name, file in invitations.items()
        },
    }


def _phase(study: Path) -> str:
    file = study / "state.json"
    return str(json.loads(file.read_text())["phase"]) if file.exists() else "waiting"


def main() -> None:
    """Make everything, and write down what is expected of it."""
    for folder in (WORK, OUT):
        folder.mkdir(parents=True, exist_ok=True)
    (OUT / "bundle.fab").write_bytes(build_bundle())
    make_scans()
    expected = {
        "fedscan": __version__,
        "torch": torch.__version__,
        "machine": platform.machine(),
        "scans_changed_ns": CHANGED_NS,
        "work": str(WORK),
        "bundle": bundle_hash(),
        "generator": make_generator(),
        "studies": make_studies(),
        "private": make_run("private", PRIVATE),
        "open": make_run("open", OPEN),
        "federation": make_federation(),
    }
    make_examination()
    (OUT / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    main()
