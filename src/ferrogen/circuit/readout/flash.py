"""Flash converter: 2^B - 1 comparators side by side, and a decoder that counts the ones.

Comparator k (1 to 2^B - 1) has the nominal threshold k - 1/2 - 2^(B-1) steps; codes are those of
:class:`.converters.ADC`. Drawn offsets may put thresholds out of order ("bubbles"). The decoder counts how many
comparators say one, so the order doesn't matter: the code is that of the sorted thresholds, always monotonic, and a
missing code is simply never counted.

Energy: every comparator decides at every conversion, so it doubles with every bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.converters import ADC, check_bits, check_full_scale
from ferrogen.circuit.readout.comparator import Comparator
from ferrogen.circuit.readout.tables import back, on_host
from ferrogen.core.errors import argument_error, check_number

_MOST_BITS = 12  # 4095 comparators a converter; beyond, nobody builds one


@dataclass(frozen=True, slots=True)
class FlashADC:
    """A flash converter; defaults are assumed (source: none).

    Attributes:
        bits: resolution, sign included, 2 to 12.
        reference: the full scale as a voltage [V].
        comparator: each of the 2^B - 1; their noise is entered as one input noise, the same for all comparators of a
            conversion, which is exact below a step and too pessimistic above (a count averages independent noise).
        cycle_time: of a conversion [s].
        decoder_energy: of one comparator's share of the decoder, a conversion [J].
    """

    bits: int = 4
    reference: float = 0.6
    comparator: Comparator = field(default_factory=Comparator)
    cycle_time: float = 5e-9
    decoder_energy: float = 1e-14

    def __post_init__(self) -> None:
        check_bits(self.bits)
        if self.bits > _MOST_BITS:
            raise argument_error("bits", f"be at most {_MOST_BITS} for a flash converter", self.bits, "Use a SarADC.")
        check_number("reference", self.reference, "V")
        check_number("cycle_time", self.cycle_time, "s")
        check_number("decoder_energy", self.decoder_energy, "J", may_vanish=True)

    def quantise(self, x: Any, full_scale: Any) -> Any:
        """Round as a converter without offset and noise would."""
        return ADC(self.bits).quantise(x, full_scale)

    @property
    def step(self) -> float:
        """One code as a voltage [V]."""
        return float(self.reference / (2 ** (self.bits - 1) - 1))

    @property
    def comparators(self) -> int:
        """How many comparators it has."""
        return int(2**self.bits - 1)

    @property
    def normals_per_conversion(self) -> int:
        """Standard normals that one conversion uses."""
        return int(self.comparator.noise > 0.0)

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> FlashConverters:
        """Draw the comparators of ``shape`` converters."""
        nominal = np.arange(1, self.comparators + 1) - 0.5 - 2.0 ** (self.bits - 1)
        offset = self.comparator.draw((*shape, self.comparators), generator) / self.step
        return FlashConverters(self, nominal - offset)

    def energy(self) -> float:
        """Return the energy [J] of one conversion."""
        return float(self.comparators) * (self.comparator.energy() + self.decoder_energy)

    def latency(self) -> float:
        """Return the time [s] of one conversion."""
        return self.cycle_time


@dataclass(frozen=True, slots=True, eq=False)
class FlashConverters:
    """Drawn converters.

    Attributes:
        spec: their design.
        thresholds: of their comparators in steps, in the order of the comparators, ``(*converters, 2^B - 1)``.
    """

    spec: FlashADC
    thresholds: NDArray[np.float64]
    _sorted: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sorted", np.sort(self.thresholds, axis=-1))

    @property
    def normals_per_conversion(self) -> int:
        """As of the design."""
        return self.spec.normals_per_conversion

    def codes(self, steps: Any, normals: Any = None) -> Any:
        """Count the ones of inputs.

        Args:
            steps: inputs in steps, last dimensions those of the converters.
            normals: standard normals ``(normals_per_conversion, *steps.shape)``; no noise, if not given.

        Returns:
            whole numbers from -(2^(B-1) - 1) to 2^(B-1) - 1, in the type of ``steps``.
        """
        held = on_host(steps)
        if normals is not None and self.normals_per_conversion:
            held = held + self.spec.comparator.noise / self.spec.step * on_host(normals)[0]
        # A binary search in the sorted thresholds, of all inputs at once: 2^B - 1 of them take exactly B steps.
        converters, table = self._sorted.shape[:-1], self._sorted.reshape(-1)
        base = (np.arange(int(np.prod(converters))) * self.spec.comparators).reshape(converters)
        count = np.zeros(held.shape, dtype=np.int64)
        for i in reversed(range(self.spec.bits)):
            count += (held >= table[base + count + (2**i - 1)]) * 2**i
        half = 2 ** (self.spec.bits - 1)
        return back(steps, np.clip(count - half, 1 - half, half - 1).astype(np.float64))

    def convert(self, x: Any, full_scale: float, normals: Any = None, temperature: float = 300.0) -> Any:  # noqa: ARG002
        """Convert ``x`` (the unit of ``full_scale``) and return the codes in its unit; arguments as for a SAR.

        Raises:
            ArgumentError: a full scale that is not positive and finite.
        """
        check_full_scale(full_scale)
        steps = 2 ** (self.spec.bits - 1) - 1
        return self.codes(x * (steps / full_scale), normals) * (full_scale / steps)
