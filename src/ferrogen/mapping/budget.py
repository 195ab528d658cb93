"""The error budget of a product: effective bits of a whole tile, source by source.

Definition: B = log2(span / (sqrt(12) e)), with e the rms error against the ideal product of the float weights and
inputs and span the range of the ideal outputs. An ideal B-bit quantiser of that range would make the same error.
Circuits with errors of their own (SAR and flash converters, offsets) are drawn anew on every chip, and the output
converter is then shown twice: as it is made, and as it was designed (rounding and clipping only).
Weights and inputs are uniform in [-1, 1]; converter ranges come from other inputs of the same kind.

A tile whose cells also sample is worse than one that idles meanwhile: slow traps that the sample voltage has filled
are not all empty again when the product is read. Both are measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from ferrogen.array.programming import IdealProgramming
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.amplifier import IdealAmplifier
from ferrogen.circuit.converters import ADC
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.readout.flash import FlashADC
from ferrogen.circuit.readout.kinds import AnyAmplifier
from ferrogen.circuit.readout.sample_hold import IdealSampleHold
from ferrogen.circuit.readout.sar import SarADC
from ferrogen.core.streams import Purpose
from ferrogen.device.card import DeviceCard
from ferrogen.mapping.layer import map_linear


@dataclass(frozen=True, slots=True)
class EffectiveBits:
    """Result for one source of error.

    Attributes:
        source: what was switched on, all else ideal; ``everything`` for the real chip.
        bits: effective bits as defined above.
        low: lower end of the 95 % interval over chips (Student's t).
        high: upper end.
        relative_error: rms error over the rms of the ideal outputs.
        chips: how many chips were made.
    """

    source: str
    bits: float
    low: float
    high: float
    relative_error: float
    chips: int


def without_traps(card: DeviceCard) -> DeviceCard:
    """Return the card without traps."""
    return card.model_copy(update={"traps_per_cell": card.traps_per_cell.model_copy(update={"value": 0.0})})


_SAMPLING = ", on a tile that also samples"


def _settled(amplifier: AnyAmplifier) -> AnyAmplifier:
    """Return the amplifier with its noise only."""
    if isinstance(amplifier, IdealAmplifier):
        return amplifier
    return replace(amplifier, offset_voltage=0.0, bandwidth=math.inf, swing=math.inf)


def _drawn_sources(real: Periphery) -> dict[str, dict[str, object]]:
    """Return what differs from circuit to circuit, if anything does: {source: what is real of the periphery}."""
    sources: dict[str, dict[str, object]] = {}
    adc, amplifier = real.multiply_adc, real.multiply_amplifier
    if isinstance(adc, SarADC | FlashADC):
        perfect = ADC(adc.bits)
        sources["output converter, as designed"] = {"multiply_adc": perfect, "integrator": real.integrator}
    if _settled(amplifier) != amplifier:
        sources["amplifier with offset, delay and range"] = {"multiply_amplifier": amplifier}
    if real.sample_hold != IdealSampleHold():
        sources["sample and hold"] = {"sample_hold": real.sample_hold, "multiplexer": real.multiplexer}
    return sources


def error_sources(card: DeviceCard, spec: ChipSpec) -> dict[str, tuple[DeviceCard, ChipSpec]]:
    """Return the card and the chip with each source of error alone, all else ideal, and with all: {source: ...}."""
    ideal = replace(spec, tiles=1, programming=IdealProgramming(), continuous_levels=True, periphery=Periphery.ideal())
    real, quiet = spec.periphery, without_traps(card)

    def periphery(**changes: object) -> ChipSpec:
        return replace(ideal, periphery=replace(Periphery.ideal(), **changes))  # type: ignore[arg-type]

    drawn = {source: (quiet, periphery(**changes)) for source, changes in _drawn_sources(real).items()}
    return {
        "conductance levels": (quiet, replace(ideal, continuous_levels=spec.continuous_levels)),
        "programming": (quiet, replace(ideal, programming=spec.programming)),
        "telegraph noise": (card, ideal),
        "telegraph noise" + _SAMPLING: (card, ideal),
        "electronic noise": (quiet, periphery(multiply_amplifier=_settled(real.multiply_amplifier))),
        "input converter": (quiet, periphery(dac=real.dac)),
        "output converter": (quiet, periphery(multiply_adc=real.multiply_adc, integrator=real.integrator)),
        **drawn,
        "wires": (quiet, periphery(wires=real.wires)),
        "everything": (card, replace(spec, tiles=1)),
        "everything" + _SAMPLING: (card, replace(spec, tiles=1)),
    }


def error_budget(
    card: DeviceCard, point: OperatingPoint, spec: ChipSpec | None = None, *, seed: int = 0, chips: int = 5
) -> list[EffectiveBits]:
    """Measure the effective bits of one fully used tile, with each source of error alone and with all.

    Args:
        card: device card.
        point: operating point.
        spec: chip whose tile, programming and periphery are judged.
        seed: of the first chip, the weights and the inputs.
        chips: how many chips (at least 2, for an interval).

    Raises:
        ValidityError: the point lies outside the card's validity.
    """
    from scipy.special import stdtrit

    spec = spec or ChipSpec()
    point.check(card)
    results = []
    for source, (variant_card, variant_spec) in error_sources(card, spec).items():
        samples = source.endswith(_SAMPLING)
        measured = [_measure(variant_card, variant_spec, point, seed + k, samples=samples) for k in range(chips)]
        bits = np.array([bits for bits, _ in measured])
        half = float(stdtrit(chips - 1, 0.975)) * float(bits.std(ddof=1)) / math.sqrt(chips) if chips > 1 else math.inf
        mean = float(bits.mean())
        error = float(np.mean([relative for _, relative in measured]))
        results.append(EffectiveBits(source, mean, mean - half, mean + half, error, chips))
    return results


def _measure(
    card: DeviceCard, spec: ChipSpec, point: OperatingPoint, seed: int, *, samples: bool
) -> tuple[float, float]:
    chip = Chip(card, seed=seed, spec=spec)
    generator = chip.streams.generator(Purpose.TEST_PATTERN)
    weight = generator.uniform(-1.0, 1.0, (spec.pairs, spec.rows))
    calibration, inputs = (generator.uniform(-1.0, 1.0, (512, spec.rows)).astype(np.float32) for _ in range(2))
    layer = map_linear(chip, weight, np.zeros(spec.pairs), sampling_tiles=int(samples))
    layer.calibrate(torch.from_numpy(calibration), point)
    outputs = layer(torch.from_numpy(inputs), point, np.arange(len(inputs), dtype=np.int64)).double().numpy()
    ideal = inputs.astype(np.float64) @ weight.T
    error = float(np.sqrt(np.mean((outputs - ideal) ** 2)))
    bits = math.log2(float(np.ptp(ideal)) / (math.sqrt(12.0) * error))
    return bits, error / float(np.sqrt(np.mean(ideal**2)))
