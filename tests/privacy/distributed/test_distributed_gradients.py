"""One step's sum on several devices: the bytes of one, whoever computes what."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch
from fedscan.errors import ModelError, PrivacyError
from fedscan.model.computing.memory import is_out_of_memory
from fedscan.privacy.clipping import MAX_PATIENTS, ClippedSum
from fedscan.privacy.descent import DescentSettings
from fedscan.privacy.distributed.device import serve_device
from fedscan.privacy.distributed.gradients import DistributedGradients
from fedscan.privacy.distributed.link import Link
from fedscan.privacy.distributed.messages import BEGIN, END, ROWS, STOP
from fedscan.privacy.dp_sgd import run_private_steps
from fedscan.privacy.engines import choose_engine
from fedscan.privacy.gradients import LoopGradients
from fedscan.privacy.joint.grid import SumGrid
from fedscan.privacy.joint.sums import private_sum
from fedscan.privacy.mechanism import SubsampledGaussian
from fedscan.privacy.stream import SecretStream
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

STREAM = SecretStream(bytes(range(32)), "step")
WIDTH, DRAWS = 6, 2


class Network(nn.Module):
    """Two linear layers, or a convolution, which only the engine `loop` can follow."""

    def __init__(self, *, linear: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(WIDTH, WIDTH) if linear else nn.Conv1d(1, WIDTH, WIDTH)
        self.second = nn.Linear(WIDTH, 3)
        self.linear = linear

    def forward(self, rows: Tensor) -> Tensor:
        hidden = self.first(rows) if self.linear else self.first(rows[:, None])[..., 0]
        result: Tensor = self.second(hidden.tanh())
        return result


class RowsLoss:
    """A loss of rows; on a further device it is asked for nothing else."""

    def __init__(self, *, linear: bool = True, fails: BaseException | None = None) -> None:
        self.module = Network(linear=linear)
        self._fails = fails
        #: Rows that were seen here.
        self.rows = 0

    def row_losses(self, rows: tuple[Tensor, ...]) -> Tensor:
        if self._fails is not None:
            raise self._fails
        self.rows += len(rows[0])
        return self.module(rows[0]).square().mean(1)

    def parameters(self) -> dict[str, nn.Parameter]:
        return dict(self.module.named_parameters())


class GoneLoss(RowsLoss):
    """Of a device that is gone when it is asked."""


class PatientsLoss(RowsLoss):
    """The same with patients, whose rows are larger the later they come."""

    def draw(self, patient: int, stream: SecretStream) -> tuple[Tensor, ...]:
        return (stream.normal((DRAWS, WIDTH)) * (1 + patient),)

    def __call__(self, patient: int, stream: SecretStream) -> Tensor:
        return self.row_losses(self.draw(patient, stream)).mean()


@contextmanager
def devices(folder: Path, *losses: RowsLoss) -> Iterator[Link]:
    """Serve further devices in threads, which end when the link is gone."""
    size, place = len(losses) + 1, folder / "meeting"
    processors = torch.get_num_threads()

    def serve(rank: int, loss: RowsLoss) -> None:
        # As a device's own process does: sums over other threads have other last bits.
        torch.set_num_threads(processors)
        link = Link(place, rank, size)
        if not isinstance(loss, GoneLoss):
            parameters = dict(reversed(loss.parameters().items()))
            serve_device(parameters, loss, link, is_out_of_memory)

    threads = [
        threading.Thread(target=serve, args=(rank, loss), daemon=True)
        for rank, loss in enumerate(losses, start=1)
    ]
    for thread in threads:
        thread.start()
    link = Link(place, 0, size)
    try:
        yield link
    finally:
        with suppress(ConnectionError):
            for rank in range(1, size):
                link.send(rank, STOP, {})
        for thread in threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
        place.unlink()


@pytest.mark.parametrize("linear", [True, False], ids=["layerwise", "loop"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_several_devices_give_the_bytes_of_one(tmp_path: Path, linear: bool, count: int) -> None:
    loss = PatientsLoss(linear=linear)
    parameters = loss.parameters()
    patients, others = [5, 0, 3, 9, 2, 8, 1], [RowsLoss(linear=linear) for _ in range(count)]
    with torch.no_grad():  # the others begin with other weights, and take up these
        for parameter in parameters.values():
            parameter.mul_(1.25)
    alone = choose_engine("auto", parameters, loss, 4).clipped_sum(
        parameters, patients, loss, 0.5, STREAM
    )
    before = loss.rows
    with devices(tmp_path, *others) as link:
        engine = choose_engine("auto", parameters, loss, 4, link)
        for _ in range(2):
            shared = engine.clipped_sum(parameters, patients, loss, 0.5, STREAM)
            assert torch.equal(shared, alone)
    assert alone.any()
    # Every device had its share, and nobody was computed twice but for the engine's own check.
    assert all(other.rows for other in others)
    checks = (DRAWS if linear else 0) * (count + 1)
    rows = loss.rows - before + sum(other.rows for other in others)
    assert 2 * len(patients) * DRAWS <= rows <= 2 * len(patients) * DRAWS + checks


@settings(max_examples=8, deadline=None)
@given(patients=st.sets(st.integers(0, 40), max_size=12), rows=st.integers(1, 9))
def test_whoever_is_drawn_and_however_many_share_a_pass(
    tmp_path_factory: pytest.TempPathFactory, patients: set[int], rows: int
) -> None:
    loss = PatientsLoss()
    parameters, order = loss.parameters(), sorted(patients)
    alone = choose_engine("auto", parameters, loss, rows)
    with devices(tmp_path_factory.mktemp("link"), RowsLoss()) as link:
        shared = choose_engine("auto", parameters, loss, rows, link)
        sums = [
            engine.clipped_sum(parameters, order, loss, 0.3, STREAM) for engine in (alone, shared)
        ]
    assert torch.equal(*sums)


def test_a_training_and_a_joint_sum_have_the_bytes_of_one_device(tmp_path: Path) -> None:
    def trained(link: Link | None) -> dict[str, Tensor]:
        loss = PatientsLoss()
        return run_private_steps(
            loss.parameters(),
            loss,
            population=30,
            expected_patients=30.0,
            mechanism=SubsampledGaussian(0.5, 0.7, 3),
            clip_norm=0.5,
            descent=DescentSettings(learning_rate=0.1),
            stream=STREAM,
            rows_at_once=4,
            link=link,
        ).tensors

    def summed(link: Link | None) -> Tensor:
        loss = PatientsLoss()
        part = private_sum(
            loss.parameters(),
            loss,
            population=30,
            sample_rate=0.5,
            share=0.6,
            grid=SumGrid(0.7),
            stream=STREAM,
            rows_at_once=4,
            link=link,
        )
        return torch.from_numpy(part.astype("int64"))

    with devices(tmp_path, RowsLoss(), RowsLoss()) as link:
        shared, part = trained(link), summed(link)
    alone = trained(None)
    assert all(torch.equal(shared[name], alone[name]) for name in alone)
    assert torch.equal(part, summed(None))


def test_no_secret_and_no_patient_goes_to_another_device(tmp_path: Path) -> None:
    """A device is sent weights, their order, two numbers, and rows of so many patients."""
    loss, sent = PatientsLoss(), dict[int, set[str]]()
    with devices(tmp_path, RowsLoss()) as link:
        send = link.send

        def noted(to: int, kind: int, tensors: dict[str, Tensor]) -> None:
            sent.setdefault(kind, set()).update(tensors)
            send(to, kind, tensors)

        link.send = noted  # type: ignore[method-assign]
        engine = DistributedGradients(LoopGradients(), link)
        engine.clipped_sum(loss.parameters(), [1, 2, 3], loss, 0.5, STREAM)
    weights = set(loss.parameters())
    begin, rows = {*weights, "/order", "/clip_norm", "/grid"}, {"0", "/patients"}
    assert sent == {BEGIN: begin, ROWS: rows, END: set(), STOP: set()}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("broken"), ModelError),
        (torch.OutOfMemoryError("CUDA out of memory"), torch.OutOfMemoryError),
    ],
)
def test_what_goes_wrong_on_another_device_is_told(
    tmp_path: Path, error: Exception, expected: type[Exception]
) -> None:
    loss = PatientsLoss()
    with devices(tmp_path, RowsLoss(fails=error)) as link:
        engine = choose_engine("auto", loss.parameters(), loss, 2, link)
        with pytest.raises(expected):
            engine.clipped_sum(loss.parameters(), list(range(9)), loss, 0.5, STREAM)


def test_a_lost_device_is_told(tmp_path: Path) -> None:
    loss = PatientsLoss()
    with devices(tmp_path, GoneLoss()) as link:
        engine = choose_engine("auto", loss.parameters(), loss, 2, link)
        with pytest.raises(ModelError, match="share the patients failed"):
            engine.clipped_sum(loss.parameters(), [0, 1, 2], loss, 0.5, STREAM)


def test_a_loss_without_rows_is_refused(tmp_path: Path) -> None:
    loss = PatientsLoss()

    def whole(patient: int, stream: SecretStream) -> Tensor:
        return loss(patient, stream)

    with devices(tmp_path, RowsLoss()) as link:
        engine = DistributedGradients(LoopGradients(), link)
        with pytest.raises(PrivacyError, match="losses of rows"):
            engine.clipped_sum(loss.parameters(), [0], whole, 0.5, STREAM)


def test_patients_of_other_devices_count_among_those_of_an_exact_sum() -> None:
    total = ClippedSum(2, 1.0)
    total.include(torch.zeros(2, dtype=torch.float64), MAX_PATIENTS)
    with pytest.raises(PrivacyError, match="patients are in one step"):
        total.add(torch.zeros(2))
