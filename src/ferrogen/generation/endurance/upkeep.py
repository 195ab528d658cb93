"""The state of one arm: what maintenance has left in use, rebuilt from its records."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.generation.endurance.records import Record
from ferrogen.mapping.layer import AnalogLinear
from ferrogen.sampler.latents import Calibration


@dataclass(frozen=True, slots=True, eq=False)
class LayerSettings:
    """What the periphery of a layer is set to.

    Attributes:
        input_scale: input that drives a word line fully.
        full_scale: of integrator and converter [A].
        mean_input: as in :class:`ferrogen.mapping.layer.AnalogLinear`.
        gain: digital factor of every output, shape ``(outputs,)``.
    """

    input_scale: float
    full_scale: float
    mean_input: NDArray[np.float32]
    gain: NDArray[np.float32]

    def apply(self, layer: AnalogLinear, scale: torch.Tensor) -> None:
        """Set a layer; ``scale`` is what its outputs were programmed with."""
        layer.input_scale, layer.full_scale = self.input_scale, self.full_scale
        layer.mean_input = torch.from_numpy(self.mean_input.copy())
        layer.scale = scale * torch.from_numpy(self.gain.copy())


def with_gain(settings: LayerSettings, factor: NDArray[np.float32]) -> LayerSettings:
    """Return settings whose gains are larger by a factor an output; a chip's digital gain ranges from 1/4 to 4."""
    return replace(settings, gain=np.clip(settings.gain * factor, 0.25, 4.0))


def settings_of(layer: AnalogLinear, gain: NDArray[np.float32]) -> LayerSettings:
    """Return what a layer is set to now."""
    return LayerSettings(
        float(layer.input_scale), float(layer.full_scale), layer.mean_input.numpy().astype(np.float32), gain
    )


@dataclass(frozen=True, slots=True)
class Cost:
    """What maintenance has taken so far.

    Attributes:
        turns: of maintenance.
        recalibrations: turns that set the decoder's periphery anew.
        tiles_written: erased and written again.
        pulses: of these writes, one a cell for erasing included.
        cells_verified: reads of single cells: one before every turn with a refresh, and one after every pulse.
        products: with test inputs, for converters and gains.
        energy: of all these [J].
    """

    turns: int = 0
    recalibrations: int = 0
    tiles_written: int = 0
    pulses: int = 0
    cells_verified: int = 0
    products: int = 0
    energy: float = 0.0


@dataclass(slots=True)
class Upkeep:
    """What an arm has in use.

    Attributes:
        settings: of the decoder's layers, with the cycle from which on they are in use.
        calibration: of the latents, from commissioning.
        written: for a tile that was written again: (after how many cycles, for which time).
        cost: so far.
    """

    settings: list[tuple[int, list[LayerSettings]]]
    calibration: Calibration
    written: dict[int, tuple[int, int]] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)

    def layers(self, cycle: int) -> list[LayerSettings]:
        """Return the settings of the decoder's layers that are in use after ``cycle`` cycles."""
        return [layers for since, layers in self.settings if since <= cycle][-1]

    def take(self, record: Record) -> None:
        """Go on from a record of maintenance."""
        if record["layers"] is not None:
            self.settings.append((record["in_use_from"], [layer_from(item) for item in record["layers"]]))
        for number in record["written"]:
            self.written[number] = (record["cycle"], self.written.get(number, (0, 0))[1] + 1)
        self.cost = Cost(**record["cost"])


def begin(record: Record) -> Upkeep:
    """Return the state of an arm right after commissioning."""
    return Upkeep([(0, [layer_from(item) for item in record["layers"]])], calibration_from(record["latents"]))


def layer_record(settings: LayerSettings) -> Record:
    """Return a layer's settings as plain values."""
    return {
        "input_scale": settings.input_scale,
        "full_scale": settings.full_scale,
        "mean_input_shape": list(settings.mean_input.shape),
        "mean_input": [float(value) for value in settings.mean_input.ravel()],
        "gain": [float(value) for value in settings.gain],
    }


def layer_from(record: Record) -> LayerSettings:
    """Return the settings that a record holds."""
    return LayerSettings(
        record["input_scale"],
        record["full_scale"],
        np.array(record["mean_input"], dtype=np.float32).reshape(record["mean_input_shape"]),
        np.array(record["gain"], dtype=np.float32),
    )


def calibration_record(calibration: Calibration) -> dict[str, Any]:
    """Return a calibration as plain values."""
    return {
        "full_scale": calibration.full_scale,
        "mean": [float(value) for value in calibration.mean],
        "deviation": [float(value) for value in calibration.deviation],
        "reads": calibration.reads,
        "clipped": calibration.clipped,
    }


def calibration_from(record: dict[str, Any]) -> Calibration:
    """Return the calibration that a record holds."""
    return Calibration(
        record["full_scale"],
        np.array(record["mean"]),
        np.array(record["deviation"]),
        record["reads"],
        record["clipped"],
    )
