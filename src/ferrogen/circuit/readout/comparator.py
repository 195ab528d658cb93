"""A clocked comparator: offset, noise, the time a close decision takes, the energy of a decision.

A regenerative latch amplifies its input difference D as D exp(t / tau) until it fills the supply, so that a decision
takes t = tau ln(V / |D|) (Veendrick 1980, doi:10.1109/JSSC.1980.1051359). What is not decided in the time given is
metastable. A dynamic latch charges its internal nodes once a decision: E = C V^2 (Razavi 2015,
doi:10.1109/MSSC.2015.2418155).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import check_number


@dataclass(frozen=True, slots=True)
class Comparator:
    """A comparator design; every default is assumed (source: none), of the size usual for small latches at 65 nm.

    Attributes:
        offset: standard deviation from comparator to comparator, input-referred [V]. It falls as the root of the
            transistors' area (Pelgrom 1989, doi:10.1109/JSSC.1989.572629).
        noise: rms of each decision, input-referred [V].
        time_constant: of the regeneration [s].
        capacitance: charged at each decision [F].
        supply: [V].
    """

    offset: float = 2e-3
    noise: float = 2e-4
    time_constant: float = 2e-11
    capacitance: float = 2e-14
    supply: float = 1.2

    def __post_init__(self) -> None:
        for name, unit in (("offset", "V"), ("noise", "V"), ("time_constant", "s"), ("capacitance", "F")):
            check_number(name, getattr(self, name), unit, may_vanish=True)
        check_number("supply", self.supply, "V")

    @classmethod
    def ideal(cls) -> Comparator:
        """Return a comparator without offset, noise, delay or energy."""
        return cls(offset=0.0, noise=0.0, time_constant=0.0, capacitance=0.0)

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.float64]:
        """Draw the offsets [V] of comparators: normal, mean zero."""
        return self.offset * generator.standard_normal(shape)

    def decide(self, difference: Any, offset: Any = 0.0, normals: Any = 0.0) -> Any:
        """Return whether each ``difference`` [V], with ``offset`` [V] and noise added, is not negative.

        Args:
            difference: of the inputs [V].
            offset: drawn, broadcasts.
            normals: standard normals of this decision, one for each difference.
        """
        return difference + offset + self.noise * normals >= 0.0

    def resolution_time(self, difference: ArrayLike) -> NDArray[np.float64]:
        """Return the time [s] a decision about ``difference`` [V] takes; infinite for none, 0 beyond the supply."""
        size = np.abs(np.asarray(difference, dtype=np.float64))
        with np.errstate(divide="ignore"):
            grown = np.log(self.supply / size)
        if self.time_constant == 0.0:
            return np.zeros(size.shape)
        return np.asarray(self.time_constant * np.maximum(grown, 0.0))

    def metastable_share(self, time: float, span: float) -> float:
        """Return the share of decisions not made within ``time`` [s], for differences uniform over ``span`` [V].

        Undecided are those with |D| < V exp(-t / tau): the share is twice that over the span.

        Raises:
            ArgumentError: a negative time, or a span that is not positive.
        """
        check_number("time", time, "s", may_vanish=True)
        check_number("span", span, "V")
        if self.time_constant == 0.0:
            return 0.0
        return min(1.0, 2.0 * self.supply * math.exp(-time / self.time_constant) / span)

    def energy(self) -> float:
        """Return the energy [J] of one decision, C V^2."""
        return self.capacitance * self.supply**2

    def latency(self, span: float, share: float = 1e-6) -> float:
        """Return the time [s] after which at most ``share`` of differences uniform over ``span`` [V] is undecided."""
        check_number("span", span, "V")
        check_number("share", share, "1")
        return self.time_constant * max(0.0, math.log(2.0 * self.supply / (span * share)))
