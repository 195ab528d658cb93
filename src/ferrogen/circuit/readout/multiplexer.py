"""A column multiplexer: several bit-line pairs share one converter, one after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error, check_number, is_whole


@dataclass(frozen=True, slots=True)
class Multiplexer:
    """How pairs of bit lines share converters. Every pair has its own integrator, which holds until its turn.

    Attributes:
        pairs_per_converter: neighbouring pairs that share one converter. Default 8: assumed (source: none, 8 columns
            an ADC are common in designs).
        resistance: of a switch that is on [Ohm]; assumed.
        capacitance: at the converter's input [F]; assumed.
        settling_error: accepted share of a pair's value that the last one leaves behind [1].
        switch_energy: of moving to the next pair [J]; assumed.
    """

    pairs_per_converter: int = 8
    resistance: float = 5e3
    capacitance: float = 3e-13
    settling_error: float = 1e-3
    switch_energy: float = 1e-14

    def __post_init__(self) -> None:
        if not is_whole(self.pairs_per_converter, 1):
            raise argument_error("pairs_per_converter", "be a whole number of at least 1", self.pairs_per_converter)
        for name, unit in (("resistance", "Ohm"), ("capacitance", "F"), ("switch_energy", "J")):
            check_number(name, getattr(self, name), unit, may_vanish=True)
        if not 0.0 < self.settling_error < 1.0:
            raise argument_error("settling_error", "lie between 0 and 1", self.settling_error)

    @classmethod
    def ideal(cls) -> Multiplexer:
        """Return none at all: one converter a pair, at once."""
        return cls(pairs_per_converter=1, resistance=0.0, capacitance=0.0, switch_energy=0.0)

    def converters(self, pairs: int) -> int:
        """Return how many converters ``pairs`` pairs need."""
        return -(-pairs // self.pairs_per_converter)

    def converter_of(self, pairs: int) -> NDArray[np.int64]:
        """Return the number of the converter that serves each pair, shape ``(pairs,)``."""
        return np.arange(pairs, dtype=np.int64) // self.pairs_per_converter

    def turn(self, pairs: int) -> NDArray[np.int64]:
        """Return in which conversion slot each pair is converted, from 0, shape ``(pairs,)``."""
        return np.arange(pairs, dtype=np.int64) % self.pairs_per_converter

    def settling_time(self) -> float:
        """Return the time [s] until what the last pair left has fallen to the accepted share, R C ln(1 / error)."""
        return self.resistance * self.capacitance * math.log(1.0 / self.settling_error)

    def slot(self, conversion_time: float) -> float:
        """Return the time [s] from one conversion to the next, for a converter that takes ``conversion_time`` [s]."""
        return self.settling_time() + conversion_time

    def latency(self, pairs: int, conversion_time: float) -> float:
        """Return the time [s] until all of ``pairs`` pairs are converted."""
        return min(pairs, self.pairs_per_converter) * self.slot(conversion_time)

    def energy(self) -> float:
        """Return the energy [J] of one move to the next pair."""
        return self.switch_energy
