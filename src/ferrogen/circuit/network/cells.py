"""What a cell between two lines carries: current and slope over the voltage across it.

Every law is I = f(G, V), with G [S] the small-signal conductance of the junction's present state at 0 V.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error, check_number

Array = NDArray[np.float64]

_LARGEST_EXPONENT = 600.0  # of sinh and cosh, which overflow at 710


class CellLaw(Protocol):
    """The characteristic shared by all cells of a network; it is smooth and rises with the voltage everywhere."""

    @property
    def linear(self) -> bool:
        """Whether I = G V for every G."""
        ...

    def current(self, conductance: Array, voltage: Array) -> tuple[Array, Array]:
        """Return the current [A] and its slope dI/dV [S] at a voltage [V]; the arguments broadcast.

        Trial voltages of a solver may be anything finite; the result is finite.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ohmic:
    """I = G V."""

    @property
    def linear(self) -> bool:
        """It is."""
        return True

    def current(self, conductance: Array, voltage: Array) -> tuple[Array, Array]:
        """Return G V and G."""
        return conductance * voltage, conductance + np.zeros_like(voltage)


@dataclass(frozen=True, slots=True)
class Sinh:
    """I = G V0 sinh(V / V0): the compact read model (Berdan 2020, doi:10.1038/s41928-020-0405-0).

    Beyond 600 V0, where the sinh would overflow, the tangent continues it.

    Attributes:
        characteristic_voltage: V0 [V].
    """

    characteristic_voltage: float

    def __post_init__(self) -> None:
        check_number("characteristic_voltage", self.characteristic_voltage, "V")

    @property
    def linear(self) -> bool:
        """It is not."""
        return False

    def current(self, conductance: Array, voltage: Array) -> tuple[Array, Array]:
        """Return G V0 sinh(V / V0) and G cosh(V / V0)."""
        v0 = self.characteristic_voltage
        ratio = np.clip(voltage / v0, -_LARGEST_EXPONENT, _LARGEST_EXPONENT)
        slope = conductance * np.cosh(ratio)
        return conductance * v0 * np.sinh(ratio) + slope * (voltage - v0 * ratio), slope


@dataclass(frozen=True, slots=True)
class Rectifying:
    """I = G V0 [(1 + b) / 2 (e^(V / V0) - 1) + (1 - b) / 2 (1 - e^(-V / V0))]: a self-rectifying junction.

    Two opposed barriers of unequal height; with b = 0 it is :class:`Sinh`. The share b = (R - 1) / (R + 1) gives the
    ratio R of the currents at V and -V for V far above V0 ln R. At lower ones it is less (:meth:`ratio`), 1 at 0 V.
    Whether a film rectifies so is its card's matter; the form is assumed, source: none.

    Attributes:
        characteristic_voltage: V0 [V].
        rectification_ratio: R, at least 1; the forward direction is from row to column.
    """

    characteristic_voltage: float
    rectification_ratio: float

    def __post_init__(self) -> None:
        check_number("characteristic_voltage", self.characteristic_voltage, "V")
        check_number("rectification_ratio", self.rectification_ratio, "1")
        if self.rectification_ratio < 1.0:
            raise argument_error(
                "rectification_ratio", "be at least 1", f"{self.rectification_ratio:g}",
                "Exchange rows and columns for junctions that conduct the other way.",
            )  # fmt: skip

    @property
    def linear(self) -> bool:
        """It is not."""
        return False

    def current(self, conductance: Array, voltage: Array) -> tuple[Array, Array]:
        """Return the current and its slope; beyond 600 V0 the tangent continues it."""
        v0, ratio = self.characteristic_voltage, self.rectification_ratio
        along, against = ratio / (1.0 + ratio), 1.0 / (1.0 + ratio)
        u = np.clip(voltage / v0, -_LARGEST_EXPONENT, _LARGEST_EXPONENT)
        slope = conductance * (along * np.exp(u) + against * np.exp(-u))
        within = conductance * v0 * (along * np.expm1(u) - against * np.expm1(-u))
        return within + slope * (voltage - v0 * u), slope

    def ratio(self, voltage: float) -> float:
        """Return the ratio of the currents at ``voltage`` and ``-voltage`` [V] of either sign."""
        check_number("voltage", abs(voltage), "V")
        (forward, backward), _ = self.current(np.ones(1), np.array([abs(voltage), -abs(voltage)]))
        return float(-forward / backward)


@dataclass(frozen=True, slots=True)
class SeriesResistance:
    """An access transistor in its linear region, or a contact.

    Attributes:
        resistance: [Ohm].
    """

    resistance: float

    def __post_init__(self) -> None:
        check_number("resistance", self.resistance, "Ohm")

    @property
    def conductance(self) -> float:
        """At 0 V [S]."""
        return 1.0 / self.resistance

    @property
    def law(self) -> CellLaw:
        """Its characteristic."""
        return Ohmic()


@dataclass(frozen=True, slots=True)
class Selector:
    """A two-terminal selector, I = G V0 sinh(V / V0): little below its threshold, steep above.

    Attributes:
        conductance: G, at 0 V [S]: its leakage.
        characteristic_voltage: V0 [V]: a decade of current every 2.3 V0.
    """

    conductance: float
    characteristic_voltage: float

    def __post_init__(self) -> None:
        check_number("conductance", self.conductance, "S")
        check_number("characteristic_voltage", self.characteristic_voltage, "V")

    @property
    def law(self) -> CellLaw:
        """Its characteristic."""
        return Sinh(self.characteristic_voltage)


_STEPS = 200


@dataclass(frozen=True, slots=True)
class InSeries:
    """A junction and an element in series; G is the junction's alone.

    Attributes:
        junction: its law.
        element: the same in every cell.
    """

    junction: CellLaw
    element: SeriesResistance | Selector

    @property
    def linear(self) -> bool:
        """It is not: even of two resistors the current is not G V."""
        return False

    def ohmic_equivalent(self, conductance: Array) -> Array | None:
        """Return the conductances of the whole cells [S] if both parts are linear; None if not."""
        if not (self.junction.linear and self.element.law.linear):
            return None
        return np.asarray(conductance / (1.0 + conductance / self.element.conductance))

    def current(self, conductance: Array, voltage: Array) -> tuple[Array, Array]:
        """Return the current that both carry, and its slope.

        Solves for the junction's share of the voltage by Newton's method on the logarithm of the currents' ratio, which
        is nearly straight for exponential laws, inside a bracket that is halved where that does not shrink it.
        """
        g, v = (part.ravel() for part in np.broadcast_arrays(np.asarray(conductance), np.asarray(voltage)))
        shape = np.broadcast_shapes(np.shape(conductance), np.shape(voltage))
        current, slope = np.zeros(v.size), np.zeros(v.size)
        there = np.flatnonzero(g > 0.0)
        if there.size:
            current[there], rise, fall = self._solve(g[there], v[there])
            with np.errstate(over="ignore"):
                slope[there] = 1.0 / (1.0 / rise + 1.0 / fall)
        return current.reshape(shape), slope.reshape(shape)

    def by_conductance(self, conductance: Array, voltage: Array) -> Array:
        """Return dI/dG of the junction's conductance [V]."""
        g, v = (part.ravel() for part in np.broadcast_arrays(np.asarray(conductance), np.asarray(voltage)))
        change, _ = self.junction.current(np.ones(v.size), v)  # of a junction of 0 S, which takes all of the voltage
        there = np.flatnonzero(g > 0.0)
        if there.size:
            current, rise, fall = self._solve(g[there], v[there])
            change[there] = current / g[there] / (1.0 + rise / fall)
        return change.reshape(np.broadcast_shapes(np.shape(conductance), np.shape(voltage)))

    def _solve(self, g: Array, v: Array) -> tuple[Array, Array, Array]:
        """Return the current and the slopes of junction and element, at conductances above zero."""
        ge, law = np.full(g.shape, self.element.conductance), self.element.law
        x = v / (1.0 + g / ge)  # exact if both are linear
        low, high = np.minimum(v, 0.0), np.maximum(v, 0.0)
        width = high - low
        for step in range(_STEPS):
            of_junction, rise = self.junction.current(g, x)
            of_element, fall = law.current(ge, v - x)
            excess = of_junction - of_element
            done = np.abs(excess) <= 4e-16 * (np.abs(of_junction) + np.abs(of_element))
            low, high = np.where(excess < 0.0, x, low), np.where(excess > 0.0, x, high)
            done |= high - low <= np.spacing(np.abs(x))
            if done.all():
                break
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                trial = x - np.log(of_junction / of_element) / (rise / of_junction + fall / of_element)
            slow = (step % 3 == 2) & (high - low > 0.5 * width)
            if step % 3 == 2:
                width = high - low
            inside = (trial > low) & (trial < high) & ~slow
            x = np.where(done, x, np.where(inside, trial, 0.5 * (low + high)))
        of_junction, rise = self.junction.current(g, x)
        of_element, fall = law.current(ge, v - x)
        # The part with the larger voltage tells the current with the smaller error.
        return np.where(np.abs(x) > np.abs(v - x), of_junction, of_element), rise, fall


def by_conductance(law: CellLaw, conductance: Array, voltage: Array) -> Array:
    """Return dI/dG of cells [V]: every law is proportional to G, but for :class:`InSeries`."""
    if isinstance(law, InSeries):
        return law.by_conductance(conductance, voltage)
    current, _ = law.current(np.ones_like(voltage), voltage)
    return current
