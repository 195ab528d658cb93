"""A decoder on a chip of which some imperfections are switched off.

Converters have two: rounding and clipping. Both belong to one range, that with the least error of the two together
(:mod:`ferrogen.mapping.ranges`). Rounding alone keeps that range's step and goes on beyond it; clipping alone keeps the
range and rounds 256 times finer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.array.faults import FaultRates
from ferrogen.array.programming import IdealProgramming
from ferrogen.chip.aging import Age, age_chip
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.amplifier import IdealAmplifier, IdealIntegrator
from ferrogen.circuit.converters import ADC, IdealADC, IdealDAC
from ferrogen.circuit.wires import IdealWires
from ferrogen.core.errors import argument_error
from ferrogen.device.card import DeviceCard
from ferrogen.generation.convolutional.model import ConvVAE
from ferrogen.generation.decoder import ChipDecoder, MappedDecoder, map_convolutions, map_decoder
from ferrogen.generation.latent_source import readings_per_tile
from ferrogen.generation.model import VAE
from ferrogen.generation.pictures import as_pictures
from ferrogen.mapping.analog_linear import AnalogLinear
from ferrogen.mapping.budget import without_traps
from ferrogen.sampler.latents import SamplerSpec

_BLOCK = 128  # images decoded together; always the same, for float sums depend on it
_MORE_BITS = 3  # of the converter that rounds like another one and does not clip
_FINE_BITS = 8  # more of the converter that clips like another one and hardly rounds: 256 times finer


@dataclass(frozen=True, slots=True)
class ProductSwitches:
    """Which of the imperfections of products there are.

    Attributes:
        spread: cells differ in the conductances that they can reach.
        levels: cells are asked for the card's discrete levels only.
        programming: pulses with scatter, verified within a tolerance.
        telegraph: the cells' traps move.
        sharing: some cells also sample, and their traps are filled by that.
        memory: noise lasts from product to product; else each draws anew.
        amplifier: amplifier and shot noise.
        input_converter: inputs are rounded and clipped.
        rounding: outputs are rounded.
        clipping: outputs are clipped.
        wires: lines have resistance.
        stuck: share of the cells that are stuck, half on and half off [1].
        warmer: than when the ranges were set [K].
        age: what the cells have gone through since they were programmed and the ranges set.
    """

    spread: bool = True
    levels: bool = True
    programming: bool = True
    telegraph: bool = True
    sharing: bool = True
    memory: bool = False
    amplifier: bool = True
    input_converter: bool = True
    rounding: bool = True
    clipping: bool = True
    wires: bool = True
    stuck: float = 0.0
    warmer: float = 0.0
    age: Age | None = None

    @property
    def same_cells(self) -> bool:
        """Whether the cells are those of the chip as it was made."""
        return self.stuck == self.warmer == 0.0 and self.age is None


FULL_PRODUCTS: Final = ProductSwitches()
IDEAL_PRODUCTS: Final = ProductSwitches(
    spread=False,
    levels=False,
    programming=False,
    telegraph=False,
    sharing=False,
    amplifier=False,
    input_converter=False,
    rounding=False,
    clipping=False,
    wires=False,
)


@dataclass(frozen=True, slots=True, eq=False)
class Products:
    """A decoder on a chip.

    Attributes:
        chip: that it is on.
        sampling_tiles: tiles that serve the sample mode; empty: none was asked for.
        point: operating point in use.
        linears: its matrices.
        decode: latents ``(n, latents)`` of consecutive image numbers from 0, to pictures.
    """

    chip: Chip
    sampling_tiles: list[int]
    point: OperatingPoint
    linears: list[AnalogLinear]
    decode: Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(slots=True)
class ProductBench:
    """Puts one model on chips of one seed, with any switches.

    Args:
        model: its decoder is mapped.
        card: of the cells.
        spec: of the chip; converters of the multiply mode are perfect quantisers.
        point: operating point.
        sampler_spec: how latents are read.
        seed: of the chip.

    Raises:
        ArgumentError: a chip whose output converters are drawn, so that rounding cannot be told from clipping.
    """

    model: VAE | ConvVAE
    card: DeviceCard
    spec: ChipSpec
    point: OperatingPoint
    sampler_spec: SamplerSpec
    seed: int
    _ranges: dict[ProductSwitches, list[float]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.spec.periphery.multiply_adc, ADC):
            kind = type(self.spec.periphery.multiply_adc).__name__
            raise argument_error("spec", "have an `ADC` for products, which rounds and clips", kind)

    @property
    def latents(self) -> int:
        """Numbers an image needs."""
        return self.model.spec.latent

    def make(self, switches: ProductSwitches) -> Products:
        """Program a chip and set its ranges.

        Raises:
            CapacityError: the chip has too few tiles.
            ValidityError: a temperature outside the card's validity.
        """
        whole = replace(switches, rounding=True, clipping=True)
        split = switches.rounding != switches.clipping
        if split and whole not in self._ranges:
            self.make(whole)
        chip = Chip(self._card(switches), seed=self.seed, spec=self._spec(switches), threads=1)
        products, settle = self._map(chip, switches)
        if switches == whole:
            self._ranges[switches] = [linear.full_scale * linear.input_scale for linear in products.linears]
        elif split:
            bits = self._bits
            wider = (2 ** (bits + _MORE_BITS - 1) - 1) / (2 ** (bits - 1) - 1) if switches.rounding else 1.0
            for linear, scale in zip(products.linears, self._ranges[whole], strict=True):
                linear.full_scale = wider * scale / linear.input_scale
        settle()
        return products

    @property
    def _bits(self) -> int:
        adc = self.spec.periphery.multiply_adc
        return adc.bits if isinstance(adc, ADC) else 0

    def _card(self, switches: ProductSwitches) -> DeviceCard:
        card = self.card if switches.telegraph else without_traps(self.card)
        if switches.spread:
            return card
        alike = {
            name: getattr(card, name).model_copy(update={"spread": None})
            for name in ("on_conductance", "off_conductance")
        }
        return card.model_copy(update=alike)

    def _spec(self, switches: ProductSwitches) -> ChipSpec:
        real = self.spec.periphery
        if switches.rounding and switches.clipping:
            converter, integrator = real.multiply_adc, real.integrator
        elif switches.rounding:
            converter, integrator = ADC(self._bits + _MORE_BITS), IdealIntegrator()
        elif switches.clipping:
            converter, integrator = ADC(min(24, self._bits + _FINE_BITS)), real.integrator
        else:
            converter, integrator = IdealADC(), IdealIntegrator()
        periphery = replace(
            real,
            dac=real.dac if switches.input_converter else IdealDAC(),
            multiply_amplifier=real.multiply_amplifier if switches.amplifier else IdealAmplifier(),
            multiply_adc=converter,
            integrator=integrator,
            wires=real.wires if switches.wires else IdealWires(),
        )
        half = 0.5 * switches.stuck
        return replace(
            self.spec,
            programming=self.spec.programming if switches.programming else IdealProgramming(),
            continuous_levels=self.spec.continuous_levels if switches.levels else True,
            periphery=periphery,
            fault_rates=FaultRates(stuck_on=half, stuck_off=half) if half > 0.0 else self.spec.fault_rates,
        )

    def _map(self, chip: Chip, switches: ProductSwitches) -> tuple[Products, Callable[[], None]]:
        """Return the decoder on a chip, and what has to be called once its ranges are final."""
        at = self.point
        if switches.warmer != 0.0:
            at = replace(at, temperature=at.temperature + switches.warmer)
            at.check(self.card)
        tiles = math.ceil(self.latents / readings_per_tile(chip, self.sampler_spec)) if switches.sharing else 0
        decoder: ChipDecoder | MappedDecoder
        if isinstance(self.model, ConvVAE):
            decoder = map_convolutions(self.model.decoder, chip, self.point, sampling_tiles=tiles)
        else:
            decoder = map_decoder(self.model.decoder, chip, self.point, sampling_tiles=tiles)
        linears = decoder.layers
        for linear in linears:
            linear.memory = "on" if switches.memory else "off"
        if switches.age is not None:
            age_chip(chip, self.point, switches.age)
        decoder.point = at
        spec = self.model.spec

        def settle() -> None:
            if isinstance(decoder, MappedDecoder):
                for layer in decoder.module.analog_layers().values():
                    layer.point = at
                    for part in layer.parts:
                        part.point = at  # type: ignore[assignment]
                    layer.refresh()

        def decode(latents: NDArray[np.float32]) -> NDArray[np.float32]:
            def block(first: int, part: torch.Tensor) -> torch.Tensor:
                return decoder(part, np.arange(first, first + len(part), dtype=np.int64))

            return as_pictures(_in_blocks(latents, block), spec)

        sampling = [number for number in decoder.tiles if chip.tile(number).samples]
        return Products(chip, sampling, at, linears, decode), settle


def _in_blocks(latents: NDArray[np.float32], block: Callable[[int, torch.Tensor], torch.Tensor]) -> torch.Tensor:
    with torch.inference_mode():
        parts = [
            block(first, torch.from_numpy(latents[first : first + _BLOCK])) for first in range(0, len(latents), _BLOCK)
        ]
        return torch.cat(parts)


def decode_ideally(model: VAE | ConvVAE, latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decode latents ``(n, latents)`` with the float32 decoder, to pictures."""
    return as_pictures(_in_blocks(latents, lambda _first, part: model.decoder(part)), model.spec)
