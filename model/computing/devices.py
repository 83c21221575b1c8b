"""Where PyTorch computes: one setting for every command, site and coordinator."""

from __future__ import annotations

import re

from ...errors import ConfigurationError

#: What the setting may be.
DEVICES = "auto, cpu, cuda, cuda:N or mps"
_FORM = re.compile(r"auto|cpu|mps|cuda(:[0-9]{1,3})?")


def resolve_device(setting: str) -> str:
    """Return the device that a setting stands for on this machine.

    Args:
        setting: One of :data:`DEVICES`. ``auto`` is the first GPU, if PyTorch finds one.

    Raises:
        ConfigurationError: If it is none of these, or this machine has no such device.
    """
    if not _FORM.fullmatch(setting):
        raise ConfigurationError(f"The device is {setting!r}.", hint=f"Use {DEVICES}.")
    if setting == "auto":
        return "cuda" if _gpus() else "mps" if _has_mps() else "cpu"
    kind, _, number = setting.partition(":")
    if kind == "cuda" and _gpus() <= int(number or 0):
        raise ConfigurationError(
            f"The device is {setting!r}, and PyTorch finds {_gpus()} CUDA GPUs here.",
            hint="Use auto or cpu, or install a PyTorch that is built for the machine's GPUs.",
        )
    if kind == "mps" and not _has_mps():
        raise ConfigurationError(
            "The device is 'mps', and PyTorch finds no Apple GPU here.", hint="Use auto or cpu."
        )
    return setting


def resolve_devices(setting: str) -> tuple[str, ...]:
    """Return the devices that share one site's patients; mostly a single one.

    Args:
        setting: As for :func:`resolve_device`, or several of one kind with commas between them:
            ``cuda:0,cuda:1``, or ``cpu,cpu`` for two processes of the CPU.

    Raises:
        ConfigurationError: If one of them is not there, or they are not of one kind, or a GPU is
            named twice.
    """
    devices = tuple(resolve_device(one.strip()) for one in setting.split(","))
    if len(devices) == 1:
        return devices
    kinds = {device.partition(":")[0] for device in devices}
    if len(kinds) > 1 or "mps" in kinds or "auto" in setting:
        raise ConfigurationError(
            f"The devices {setting!r} cannot share one site's patients.",
            hint="Name GPUs of one kind by their numbers, such as cuda:0,cuda:1.",
        )
    by_number = [
        device.replace("cuda", "cuda:0") if device == "cuda" else device for device in devices
    ]
    if kinds == {"cuda"} and len(set(by_number)) < len(by_number):
        raise ConfigurationError(
            f"The devices {setting!r} name a GPU twice.", hint="Name each GPU once."
        )
    _require_equal_gpus(by_number)
    return tuple(by_number)


def spread_devices(setting: str, count: int) -> list[str]:
    """Give several workers of one machine a device each; several GPUs by turns.

    Args:
        setting: As for :func:`resolve_device`. One GPU by its number is that of all of them.
        count: Workers.

    Raises:
        ConfigurationError: As :func:`resolve_device`.
    """
    device = resolve_device(setting)
    if device != "cuda" or _gpus() == 1:
        return [device] * count
    return [f"cuda:{number % _gpus()}" for number in range(count)]


# PyTorch takes seconds to import: who names the CPU need not wait for it.


def _gpus() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _require_equal_gpus(devices: list[str]) -> None:
    """Refuse GPUs of several models: each rounds in its own way, and an answer must be the same."""
    import torch

    names = {torch.cuda.get_device_name(one) for one in devices if one.startswith("cuda")}
    if len(names) > 1:
        raise ConfigurationError(
            f"The GPUs are of several models: {', '.join(sorted(names))}.",
            hint="Name those of one model: what they compute must not depend on which one does.",
        )


def _has_mps() -> bool:
    import torch

    return torch.backends.mps.is_available()
