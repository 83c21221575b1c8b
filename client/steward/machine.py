"""What a study takes of a site's machine, in plain words and before it begins."""

from __future__ import annotations

import torch

from ...federation.diagnosis.finding import DoubtError
from ...model.computing.memory import (
    free_memory,
    in_words,
    measure_need,
    open_outline,
    plan_passes,
)
from ...model.settings import TrainableSettings
from ...model.storage import base_folder
from ...privacy.engines import most_rows
from ..policy import SitePolicy
from ..terms import StudyTerms
from ..workspace.opened import OpenGenerator
from .admission import site_devices
from .home import SiteHome

#: Images of a patient in a step, where a study says nothing else.
_USUAL_DRAWS = 4


def memory_sentence(
    home: SiteHome, policy: SitePolicy, terms: StudyTerms, base_model: OpenGenerator
) -> str:
    """Say what memory training takes, and how many images will be computed at once.

    Args:
        home: The site's home, whose settings name the device.
        policy: What the site allows.
        terms: The study's terms.
        base_model: The generator that the study trains.

    Raises:
        ConfigurationError: If the device is not there, or not allowed.
    """
    settings, draws = home.settings(), terms.privacy.draws_per_patient
    devices = site_devices(settings.device, policy)
    device = torch.device(devices[0])
    need, free = measure_need(base_model.generator, terms.trainable), free_memory(device)
    plan = plan_passes(need, free, draws=draws, most=most_rows(device.type))
    sentence = (
        f"On {device} the generator takes {in_words(need.weights)} of memory, its training "
        f"{in_words(need.training)}, and each image that is computed at once {in_words(need.row)}: "
        f"{settings.rows_at_once or plan.rows} of them, with {in_words(free)} free."
    )
    if len(devices) > 1:
        sentence += f" {len(devices)} devices share the patients, and each takes as much."
    if plan.twice:
        sentence += " That is little: most is computed twice to keep less of it, in more time."
    return sentence


def base_memory(home: SiteHome, policy: SitePolicy) -> str:
    """Say what a usual study on the site's base would take; an invitation is told of its own.

    Args:
        home: The site's home.
        policy: What the site allows.

    Raises:
        ConfigurationError: If the device is not there, or not allowed.
        DoubtError: If the free memory seems too little.
        ModelError: If the base cannot be opened.
    """
    settings = home.settings()
    device = torch.device(site_devices(settings.device, policy)[0])
    need = measure_need(open_outline(base_folder(settings.base)), TrainableSettings())
    free = free_memory(device)
    room = max(0, free - need.weights)
    plan = plan_passes(need, room, draws=_USUAL_DRAWS, most=_USUAL_DRAWS)
    sentence = (
        f"{in_words(free)} are free on {device}; the base takes {in_words(need.weights)}, and an "
        f"image in training {in_words(need.row)}."
    )
    if need.training + _USUAL_DRAWS * need.row_computed_twice > room:
        raise DoubtError(sentence, hint="Studies may fail: use another device or free memory.")
    return f"{sentence} That is little: training takes more time." if plan.twice else sentence
