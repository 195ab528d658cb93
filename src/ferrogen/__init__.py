"""ferrogen: generative hardware from ferroelectric tunnel junctions, from trap to image.

>>> import ferrogen as fg
>>> chip = fg.Chip("hzo-mfis-nor", seed=7)  # doctest: +SKIP
>>> run = fg.generate("mnist", chip, count=64)  # doctest: +SKIP

The public names are imported when first used, so that ``import ferrogen`` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ferrogen.calibration.calibrate import calibrate
    from ferrogen.chip.chip import Chip
    from ferrogen.chip.point import OperatingPoint
    from ferrogen.chip.spec import ChipSpec
    from ferrogen.circuit.periphery import Periphery
    from ferrogen.core.errors import FerrogenError
    from ferrogen.core.streams import Streams
    from ferrogen.device.card import DeviceCard, load_card
    from ferrogen.device.junction import Junction, draw_cells, make_junction
    from ferrogen.device.waveforms import Waveform
    from ferrogen.generation.generator import ChipGenerator
    from ferrogen.generation.model import VAE
    from ferrogen.generation.model_file import load_vae
    from ferrogen.generation.run import GenerationRun, generate
    from ferrogen.mapping.convert.map_to_chip import map_to_chip
    from ferrogen.sampler.latents import LatentSampler, SamplerSpec

__all__ = [
    "VAE",
    "Chip",
    "ChipGenerator",
    "ChipSpec",
    "DeviceCard",
    "FerrogenError",
    "GenerationRun",
    "Junction",
    "LatentSampler",
    "OperatingPoint",
    "Periphery",
    "SamplerSpec",
    "Streams",
    "Waveform",
    "__version__",
    "calibrate",
    "draw_cells",
    "generate",
    "load_card",
    "load_vae",
    "make_junction",
    "map_to_chip",
]

_HOMES = {
    "VAE": "generation.model",
    "Chip": "chip.chip",
    "ChipGenerator": "generation.generator",
    "ChipSpec": "chip.spec",
    "DeviceCard": "device.card",
    "FerrogenError": "core.errors",
    "GenerationRun": "generation.run",
    "LatentSampler": "sampler.latents",
    "OperatingPoint": "chip.point",
    "Periphery": "circuit.periphery",
    "SamplerSpec": "sampler.latents",
    "Streams": "core.streams",
    "Junction": "device.junction",
    "Waveform": "device.waveforms",
    "calibrate": "calibration.calibrate",
    "draw_cells": "device.junction",
    "make_junction": "device.junction",
    "map_to_chip": "mapping.convert.map_to_chip",
    "generate": "generation.run",
    "load_card": "device.card",
    "load_vae": "generation.model_file",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"ferrogen.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ferrogen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
