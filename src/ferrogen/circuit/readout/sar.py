"""Successive-approximation converter with a binary-weighted capacitor array.

Codes are those of :class:`.converters.ADC`: symmetric, zero is a code, step = full scale / (2^(B-1) - 1). Inside, a
code is offset binary, k = 1 to 2^B - 1, with 2^(B-1) for zero. The search compares the input with trial sums of the
drawn weights w_i = 2^B C_i / sum C (in steps; nominal 2^i), most significant first, half a step below, B decisions a
conversion. Without mismatch, offset and noise it rounds to the nearest code.

With unit capacitors of relative mismatch s, C_i has the relative mismatch s / 2^(i/2), and the standard deviation of
the worst differential nonlinearity, at mid-scale, is s sqrt(2^B - 1) steps (Saberi 2011,
doi:10.1109/TCSI.2011.2107214).

The array is differential, 2^B units a side; the mismatch of a unit is that of both sides' together. Sampling leaves
2 k T / C on it. Its conventional switching draws sum_{i=1..B} 2^(B+1-2i) (2^i - 1) C V^2 on average over the codes (Liu
2010, doi:10.1109/JSSC.2010.2042254); the tests derive the sum from conservation of charge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.converters import ADC, check_bits, check_full_scale
from ferrogen.circuit.readout.comparator import Comparator
from ferrogen.circuit.readout.tables import like
from ferrogen.core.constants import BOLTZMANN
from ferrogen.core.errors import check_number


@dataclass(frozen=True, slots=True)
class SarADC:
    """A successive-approximation converter; defaults are assumed (source: none).

    Attributes:
        bits: resolution, sign included.
        unit_capacitance: [F].
        unit_mismatch: relative standard deviation of a unit capacitor [1].
        reference: the converter's full scale as a voltage [V]; the input's full scale is brought to it.
        comparator: its offset shifts all codes, its noise enters each of the B decisions.
        cycle_time: of one decision [s]; a conversion takes B + 1 of them, one to sample.
        logic_energy: of one decision [J].
        sampling_noise: whether the thermal noise of the sampled array is added.
    """

    bits: int = 8
    unit_capacitance: float = 1e-15
    unit_mismatch: float = 0.01
    reference: float = 0.6
    comparator: Comparator = field(default_factory=Comparator)
    cycle_time: float = 1e-8
    logic_energy: float = 2e-14
    sampling_noise: bool = True

    def __post_init__(self) -> None:
        check_bits(self.bits)
        for name, unit in (("unit_capacitance", "F"), ("reference", "V"), ("cycle_time", "s")):
            check_number(name, getattr(self, name), unit)
        for name, unit in (("unit_mismatch", "1"), ("logic_energy", "J")):
            check_number(name, getattr(self, name), unit, may_vanish=True)

    def quantise(self, x: Any, full_scale: Any) -> Any:
        """Round as a converter without mismatch, offset and noise would."""
        return ADC(self.bits).quantise(x, full_scale)

    @property
    def step(self) -> float:
        """One code as a voltage [V]."""
        return float(self.reference / (2 ** (self.bits - 1) - 1))

    @property
    def capacitance(self) -> float:
        """Of one side of the array [F], 2^B units."""
        return float(self.unit_capacitance * 2.0**self.bits)

    def sampling_rms(self, temperature: float) -> float:
        """Return the rms [V] of sampled thermal noise, sqrt(2 k T / C), at a temperature [K]; 0 if switched off."""
        check_number("temperature", temperature, "K", may_vanish=True)
        return math.sqrt(2.0 * BOLTZMANN * temperature / self.capacitance) if self.sampling_noise else 0.0

    @property
    def normals_per_conversion(self) -> int:
        """Standard normals that one conversion uses: one to sample, and one for each decision if they are noisy."""
        decisions = self.bits if self.comparator.noise > 0.0 else 0
        return decisions + int(self.sampling_noise)

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> SarConverters:
        """Draw the capacitors and comparators of ``shape`` converters."""
        units = np.concatenate([[1.0], 2.0 ** np.arange(self.bits)])  # the first is the array's dummy
        drawn = units * (
            1.0 + self.unit_mismatch / np.sqrt(units) * generator.standard_normal((*shape, units.shape[0]))
        )
        weights = 2.0**self.bits * drawn[..., 1:] / drawn.sum(axis=-1, keepdims=True)
        return SarConverters(self, weights, self.comparator.draw(shape, generator) / self.step)

    def switching_energy(self) -> float:
        """Return the average switching energy [J] of the capacitor array, by the formula at the top."""
        i = np.arange(1, self.bits + 1, dtype=np.float64)
        units = float(np.sum(2.0 ** (self.bits + 1 - 2.0 * i) * (2.0**i - 1.0)))
        return units * self.unit_capacitance * self.reference**2

    def energy(self) -> float:
        """Return the energy [J] of one conversion: array, comparator and logic."""
        return self.switching_energy() + self.bits * (self.comparator.energy() + self.logic_energy)

    def latency(self) -> float:
        """Return the time [s] of one conversion."""
        return (self.bits + 1) * self.cycle_time


@dataclass(frozen=True, slots=True, eq=False)
class SarConverters:
    """Drawn converters.

    Attributes:
        spec: their design.
        weights: of their bits in steps, least significant first, shape ``(*converters, bits)``.
        offset: of their comparators in steps, shape ``(*converters,)``; it adds to the input.
    """

    spec: SarADC
    weights: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def normals_per_conversion(self) -> int:
        """As of the design."""
        return self.spec.normals_per_conversion

    def codes(self, steps: Any, normals: Any = None, sampling_rms: float = 0.0) -> Any:
        """Search the signed codes of inputs.

        Args:
            steps: inputs in steps, last dimensions those of the converters.
            normals: standard normals ``(normals_per_conversion, *steps.shape)``; no noise, if not given.
            sampling_rms: of the sampling noise [steps].

        Returns:
            whole numbers from -(2^(B-1) - 1) to 2^(B-1) - 1, in the type of ``steps``.
        """
        bits, half = self.spec.bits, 2.0 ** (self.spec.bits - 1)
        held = steps + like(steps, self.offset + half + 0.5)
        noise = None
        if normals is not None and self.normals_per_conversion:
            first = int(self.spec.sampling_noise)
            if first:
                held = held + sampling_rms * normals[0]
            if self.spec.comparator.noise > 0.0:
                noise = self.spec.comparator.noise / self.spec.step * normals[first:]
        weights = like(steps, self.weights)
        reached, code = 0.0 * held, 0.0 * held
        for k, i in enumerate(reversed(range(bits))):
            trial = reached + weights[..., i]
            seen = held if noise is None else held + noise[k]
            bit = seen >= trial
            reached = reached + bit * weights[..., i]
            code = code + bit * 2.0**i
        return (code - half).clip(1.0 - half, half - 1.0)

    def convert(self, x: Any, full_scale: float, normals: Any = None, temperature: float = 300.0) -> Any:
        """Convert ``x`` (the unit of ``full_scale``) and return the codes in its unit.

        Args:
            x: last dimensions those of the converters.
            full_scale: of the converters.
            normals: see :meth:`codes`.
            temperature: of the sampling noise [K].

        Raises:
            ArgumentError: a full scale that is not positive and finite.
        """
        check_full_scale(full_scale)
        steps = 2 ** (self.spec.bits - 1) - 1
        rms = self.spec.sampling_rms(temperature) / self.spec.step
        return self.codes(x * (steps / full_scale), normals, rms) * (full_scale / steps)
