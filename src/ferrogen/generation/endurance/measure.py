"""What is measured at a checkpoint: latents, products, images, cells."""

from __future__ import annotations

import base64
import math
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.energy import energy_of
from ferrogen.chip.power import product_power
from ferrogen.chip.product import split_rows
from ferrogen.chip.usage import Usage
from ferrogen.core.streams import Purpose
from ferrogen.generation.endurance.machine import Machine
from ferrogen.generation.endurance.records import Record
from ferrogen.generation.model import SIDE
from ferrogen.mapping.layer import AnalogLinear
from ferrogen.metrics.classes import classifier_confidence
from ferrogen.metrics.features import FeatureNetwork, load_feature_network
from ferrogen.metrics.frechet import Moments, frechet_distance
from ferrogen.metrics.randomness import latent_statistics
from ferrogen.metrics.reference import load_reference_moments
from ferrogen.metrics.score import Score
from ferrogen.sampler.latents import MOST_IMAGES

SHOWN: Final = 16
"""Images that a record keeps for the figure."""

TESTS: Final = 256
"""Test inputs of every layer."""

_STRAY: Final = 0.5  # levels: beyond it, a cell reads as another level
_KNOWN: Final = 0.1
_LATENTS: Final = {
    "mean": "latent_mean",
    "standard_deviation": "latent_deviation",
    "autocorrelation_lag_1": "latent_lag_1",
    "ks_distance": "latent_ks",
}


@dataclass(slots=True)
class Measure:
    """The instruments of a run, made once.

    Args:
        machine: of the run.
    """

    machine: Machine
    network: FeatureNetwork | None = field(init=False)
    reference: Moments | None = field(init=False)
    inputs: list[torch.Tensor] = field(init=False)
    products: list[torch.Tensor] = field(init=False)
    pixels: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        judged = self.machine.spec.features == "mnist"
        self.network = load_feature_network("mnist") if judged else None
        self.reference = load_reference_moments("mnist") if judged else None
        generator = self.machine.chip.streams.generator(Purpose.TEST_PATTERN)
        shape = (TESTS, self.machine.generator.latents)
        x = torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))
        layers = [item for item in self.machine.spec.model.decoder.layers if isinstance(item, torch.nn.Linear)]
        self.inputs, self.products = [], []
        with torch.inference_mode():
            for layer in layers:
                self.inputs.append(x)
                self.products.append(x @ layer.weight.T)
                x = torch.relu(self.products[-1] + layer.bias)
            self.pixels = torch.sigmoid(self.products[-1] + layers[-1].bias)

    def checkpoint(self, cycle: int) -> Record:
        """Measure the chip as it stands; its record lacks what maintenance took."""
        spec, generator = self.machine.spec, self.machine.generator
        self.set_power()
        generator.chip.usage = Usage()  # from zero: sums of floats would remember what came before
        images, latents = generator.images_and_latents(cycle, spec.images)
        record: Record = {
            "temperature": generator.at.temperature,
            "images": spec.images,
            **self._energy(),
            **self._latents(latents),
            **self._images(images),
            **self._cells(),
            "layers": self._layers(cycle),
            "image_error": self._image_error(cycle),
            "shown": pack_images(images[:SHOWN]),
        }
        return record

    def set_power(self) -> None:
        """Tell the layers what power their cells take as they are now, with typical inputs."""
        chip, point = self.machine.chip, self.machine.generator.at
        v0 = chip.device.characteristic_voltage.value
        for layer, x, _ in self._decoder():
            total = layer.matrices(point).total
            shares = split_rows(x / layer.input_scale, total.shape[0], total.shape[1])
            layer.power = product_power(shares, total, chip.spec.periphery, point.multiply_voltage, v0)

    def _energy(self) -> Record:
        """Return what an image has cost; the simulation made whole blocks of them."""
        chip = self.machine.chip
        made = chip.usage.products / len(self.inputs)
        report = energy_of(chip.usage, chip.spec, chip.device, self.machine.generator.at)
        return {
            "energy_per_image": report.total / made,
            "energy_by_component": {name: value / made for name, value in report.by_component.items() if value > 0.0},
            "cycle_time": report.cycle_time,
        }

    def _latents(self, latents: NDArray[np.float32]) -> Record:
        spread, offset = latents.std(axis=0, dtype=np.float64), latents.mean(axis=0, dtype=np.float64)
        record: Record = {
            "latent_offset": float(np.sqrt(np.mean(offset**2))),
            "latent_spread": float(np.sqrt(np.mean(spread**2))),
            "silent_latents": int(np.count_nonzero(spread == 0.0)),
        }
        if not spread.any():
            return record | dict.fromkeys(_LATENTS.values())
        found = latent_statistics(latents, seed=self.machine.spec.seed)
        return record | {short: _score(found[name]) for name, short in _LATENTS.items()}

    def _images(self, images: NDArray[np.float32]) -> Record:
        if self.network is None or self.reference is None:
            return {"frechet_distance": None, "classifier_confidence": None}
        seen = self.network.extract(images)
        distance = frechet_distance(seen.features, self.reference, seed=self.machine.spec.seed)
        return {
            "frechet_distance": _score(distance),
            "classifier_confidence": _score(classifier_confidence(seen.class_probabilities)),
        }

    def _cells(self) -> Record:
        machine = self.machine
        errors = np.concatenate([machine.errors(number).ravel() for number in machine.generator.decoder.tiles])
        conditions = [machine.chip.tile(number).condition for number in machine.generator.decoder.tiles]
        return {
            "conductance_error_levels": float(errors.mean()),
            "cells_astray": float(np.mean(errors > _STRAY)),
            "on_factor": conditions[0].on_factor if conditions[0] is not None else 1.0,
            "off_factor": conditions[0].off_factor if conditions[0] is not None else 1.0,
        }

    def addresses(self, cycle: int) -> NDArray[np.int64]:
        """Return addresses of the noise of test products after ``cycle`` cycles: no image has them."""
        return MOST_IMAGES + cycle * TESTS + np.arange(TESTS, dtype=np.int64)

    def _layers(self, cycle: int) -> list[dict[str, float]]:
        """Compare every layer's products with the float ones, for the same inputs at every checkpoint.

        Effective bits are defined in :mod:`ferrogen.mapping.budget`.
        """
        results = []
        for layer, x, wanted in self._decoder():
            error = float((self.multiply(layer, x, cycle) - wanted).double().square().mean().sqrt())
            span, rms = float(wanted.max() - wanted.min()), float(wanted.double().square().mean().sqrt())
            results.append(
                {
                    "error": error,
                    "relative_error": error / rms if rms > 0.0 else 0.0,
                    "effective_bits": math.log2(span / (math.sqrt(12.0) * error)) if span > 0.0 < error else 24.0,
                }
            )
        return results

    def _decoder(self) -> list[tuple[AnalogLinear, torch.Tensor, torch.Tensor]]:
        return list(zip(self.machine.generator.decoder.layers, self.inputs, self.products, strict=True))

    def multiply(self, layer: AnalogLinear, x: torch.Tensor, cycle: int) -> torch.Tensor:
        """Return a layer's products of test inputs, without bias."""
        with torch.inference_mode():
            return layer(x, self.machine.generator.at, self.addresses(cycle)) - layer.bias

    def gains(self, cycle: int) -> list[NDArray[np.float32]]:
        """Return by which factor every output of every layer must grow to match the float products.

        It is 1 for outputs whose factor noise hides: those where one standard error of the regression is more than a
        tenth of it.
        """
        found = []
        for layer, x, wanted in self._decoder():
            seen, right = self.multiply(layer, x, cycle).double(), wanted.double()
            power = right.square().sum(dim=0).clamp(min=1e-30)
            kept = (seen * right).sum(dim=0) / power
            rest = (seen - kept * right).square().sum(dim=0) / (seen.shape[0] - 1)
            known = (rest / power).sqrt() < _KNOWN * kept
            factor = torch.where(known, 1.0 / torch.where(known, kept, 1.0), 1.0)
            found.append(np.asarray(factor.float().numpy()))
        return found

    def _image_error(self, cycle: int) -> float:
        """Return the rms difference of pixels, chip to float decoder, for the same latents at every checkpoint."""
        with torch.inference_mode():
            pixels = self.machine.generator.decoder(self.inputs[0], self.addresses(cycle))
        return float((pixels - self.pixels).double().square().mean().sqrt())

    def test_energy(self, cycle: int) -> tuple[int, float]:
        """Multiply the test inputs once by every layer; return how many products that was, and their energy [J]."""
        chip = self.machine.chip
        self.set_power()
        chip.usage = Usage()
        for layer, x, _ in self._decoder():
            self.multiply(layer, x, cycle)
        energy = energy_of(chip.usage, chip.spec, chip.device, self.machine.generator.at).total
        return chip.usage.products, energy


def _score(score: Score) -> dict[str, float | None]:
    values = {"value": score.value, "low": score.low, "high": score.high}
    return {name: float(value) if math.isfinite(value) else None for name, value in values.items()}


def pack_images(images: NDArray[np.float32]) -> str:
    """Return images in [0, 1] as text, with 8 bits a pixel."""
    grey = np.clip(np.round(255.0 * images), 0, 255).astype(np.uint8)
    return base64.b64encode(zlib.compress(grey.tobytes(), 9)).decode()


def unpack_images(text: str) -> NDArray[np.float32]:
    """Return the images of :func:`pack_images`, float32 ``(n, 28, 28)``."""
    grey = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8)
    return grey.reshape(-1, SIDE, SIDE).astype(np.float32) / 255.0


def flat(record: Record) -> dict[str, Any]:
    """Return a checkpoint as one row of numbers, by name; scores become three columns, layers one set each."""
    row: dict[str, Any] = {}
    for name, value in record.items():
        if name in ("shown", "run"):
            continue
        if name == "layers":
            for k, part in enumerate(value, 1):
                row |= {f"layer_{k}_{key}": number for key, number in part.items()}
        elif isinstance(value, dict):
            ends = {"value": name, "low": f"{name}_low", "high": f"{name}_high"}
            row |= {ends.get(key, f"{name}_{key}"): number for key, number in value.items()}
        else:
            row[name] = value
    return row
