"""fedscan: hospitals train one medical image generator together, and no scan leaves its site.

What the commands do can be called from here; docs/python.md teaches it. A name is imported when
it is first used: ``import fedscan`` alone loads neither PyTorch nor Flower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .applications.enhance import EnhancedScan, EnhanceRequest, enhance
    from .applications.generate import GeneratedImages, GenerateRequest, generate
    from .applications.generator import LoadedGenerator, load_generator
    from .applications.mesh import Mesh, MeshRequest, mesh
    from .applications.results import ComputedVolume, WrittenFolder
    from .applications.translate import (
        LoadedTranslator,
        TranslateRequest,
        load_translator,
        translate,
    )
    from .applications.volume import VolumeRequest, volume
    from .common.progress import Progress
    from .config.study import load_study
    from .errors import FedscanError
    from .imaging.dicom.index import index_folder
    from .imaging.settings import DataSettings
    from .imaging.writing.manifest import check_folder
    from .model.conditions import spatial_conditions
    from .privacy.ledger.view import LedgerView
    from .privacy.plain_epsilon import epsilon
    from .simulation.evaluating import EvaluateRequest, evaluate
    from .simulation.run import simulate

__version__ = "0.1.0"

#: Where each public name lives: module, and its name there.
_HOMES = {
    "ComputedVolume": ("applications.results", "ComputedVolume"),
    "DataSettings": ("imaging.settings", "DataSettings"),
    "EvaluateRequest": ("simulation.evaluating", "EvaluateRequest"),
    "EnhanceRequest": ("applications.enhance", "EnhanceRequest"),
    "EnhancedScan": ("applications.enhance", "EnhancedScan"),
    "FedscanError": ("errors", "FedscanError"),
    "GenerateRequest": ("applications.generate", "GenerateRequest"),
    "GeneratedImages": ("applications.generate", "GeneratedImages"),
    "LedgerView": ("privacy.ledger.view", "LedgerView"),
    "LoadedGenerator": ("applications.generator", "LoadedGenerator"),
    "LoadedTranslator": ("applications.translate", "LoadedTranslator"),
    "Mesh": ("applications.mesh", "Mesh"),
    "MeshRequest": ("applications.mesh", "MeshRequest"),
    "Progress": ("common.progress", "Progress"),
    "TranslateRequest": ("applications.translate", "TranslateRequest"),
    "VolumeRequest": ("applications.volume", "VolumeRequest"),
    "WrittenFolder": ("applications.results", "WrittenFolder"),
    "check_folder": ("imaging.writing.manifest", "check_folder"),
    "enhance": ("applications.enhance", "enhance"),
    "epsilon": ("privacy.plain_epsilon", "epsilon"),
    "evaluate": ("simulation.evaluating", "evaluate"),
    "generate": ("applications.generate", "generate"),
    "index_folder": ("imaging.dicom.index", "index_folder"),
    "load_generator": ("applications.generator", "load_generator"),
    "load_study": ("config.study", "load_study"),
    "load_translator": ("applications.translate", "load_translator"),
    "mesh": ("applications.mesh", "mesh"),
    "simulate": ("simulation.run", "simulate"),
    "spatial_conditions": ("model.conditions", "spatial_conditions"),
    "translate": ("applications.translate", "translate"),
    "volume": ("applications.volume", "volume"),
}

__all__ = [
    "ComputedVolume",
    "DataSettings",
    "EnhanceRequest",
    "EnhancedScan",
    "EvaluateRequest",
    "FedscanError",
    "GenerateRequest",
    "GeneratedImages",
    "LedgerView",
    "LoadedGenerator",
    "LoadedTranslator",
    "Mesh",
    "MeshRequest",
    "Progress",
    "TranslateRequest",
    "VolumeRequest",
    "WrittenFolder",
    "check_folder",
    "enhance",
    "epsilon",
    "evaluate",
    "generate",
    "index_folder",
    "load_generator",
    "load_study",
    "load_translator",
    "mesh",
    "simulate",
    "spatial_conditions",
    "translate",
    "volume",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Before Flower or transformers are imported: no process of fedscan calls home.
    from .cli.environment import set_defaults

    set_defaults()
    module, own_name = _HOMES[name]
    value = getattr(import_module(f".{module}", __name__), own_name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
