"""Dielectric breakdown: Weibull, with a life that falls with voltage, temperature and area.

    F(t) = 1 - exp[-(t / eta)^beta],
    eta = eta_0 exp[-gamma (V - V_0)] (A / A_0)^(-1 / beta) exp[E_a / k (1 / T - 1 / 300 K)]

The area law follows from weakest links: a junction survives if all of its parts do. In place of the exponential in V a
power law (V / V_0)^-n can be asked for. Section 5 of the device reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.card import DeviceCard
from ferrogen.device.reliability.arrhenius import (
    check_energy,
    check_exponent,
    check_scale,
    counts,
    from_logarithm,
    slowdown,
)
from ferrogen.device.reliability.spec import ReliabilitySpec


@dataclass(frozen=True, slots=True)
class Breakdown:
    """How junctions break down.

    Attributes:
        time: eta_0: by which a share 1 - 1/e of junctions has broken down at ``voltage``, ``area`` and 300 K [s].
        voltage: V_0 [V].
        shape: beta of the Weibull distribution [1].
        acceleration: gamma [1/V]; or, with ``power_law``, the exponent n [1].
        activation_energy: [eV].
        area: A_0 [m^2].
        power_law: the life goes as (V / V_0)^-n, not exponentially.
    """

    time: float
    voltage: float
    shape: float
    acceleration: float
    activation_energy: float = 0.0
    area: float = 1e-14
    power_law: bool = False

    def __post_init__(self) -> None:
        check_scale("time", self.time, "s")
        check_number("voltage", self.voltage, "V")
        check_exponent("shape", self.shape)
        check_number("acceleration", self.acceleration, "1" if self.power_law else "1/V", may_vanish=True)
        check_energy(self.activation_energy)
        check_number("area", self.area, "m^2")


def breakdown_of(card: DeviceCard) -> Breakdown:
    """Return the breakdown that a card describes, for its cell's area.

    Raises:
        CardError: the card has no section [reliability].
    """
    spec = card.require(ReliabilitySpec)
    return Breakdown(
        time=spec.breakdown_time.value,
        voltage=spec.breakdown_voltage.value,
        shape=spec.breakdown_shape.value,
        acceleration=spec.breakdown_acceleration.value,
        activation_energy=spec.breakdown_activation_energy.value,
        area=card.cell_area.value,
    )


def characteristic_life(law: Breakdown, voltage: float, temperature: float = 300.0, area: float | None = None) -> float:
    """Return eta [s]: by then a share 1 - 1/e of junctions has broken down at a constant voltage [V].

    Args:
        law: of these junctions.
        voltage: its sign does not matter; at zero the exponential law still gives a finite life, the power law does not
            hold.
        temperature: [K].
        area: of a junction [m^2]; that of the law if it is absent.

    Raises:
        ArgumentError: a value out of range, or a voltage at which the power law means nothing.
    """
    size = abs(voltage)
    check_number("voltage", size, "V", may_vanish=not law.power_law)
    exponent = (
        -law.acceleration * math.log(size / law.voltage) if law.power_law else -law.acceleration * (size - law.voltage)
    )
    exponent += math.log(slowdown(law.activation_energy, temperature))
    if area is not None:
        check_number("area", area, "m^2")
        exponent -= math.log(area / law.area) / law.shape
    return from_logarithm(exponent + math.log(law.time), "voltage", voltage, "s")


def survival(law: Breakdown, time: ArrayLike, life: float | None = None) -> NDArray[np.float64]:
    """Return the share of junctions that has not broken down after a time [s] of stress.

    Args:
        law: of these junctions.
        time: under the stress that ``life`` belongs to; by default at the law's voltage, area and 300 K, as
            :attr:`.age.Age.stress_time` counts it.
        life: of :func:`characteristic_life` [s].

    Raises:
        ArgumentError: a negative or infinite time, a life that is not positive.
    """
    eta = law.time if life is None else life
    check_scale("life", eta, "s")
    with np.errstate(over="ignore"):  # an infinite hazard leaves nobody alive, which is right
        return np.asarray(np.exp(-((counts("time", time, "s") / eta) ** law.shape)))


def life_at(law: Breakdown, failed: float, life: float | None = None) -> float:
    """Return by when [s] a share ``failed`` (between 0 and 1) has broken down.

    Raises:
        ArgumentError: a share or a life out of range.
    """
    if not 0.0 < failed < 1.0:
        raise argument_error("failed", "lie between 0 and 1", failed)
    eta = law.time if life is None else life
    check_scale("life", eta, "s")
    logarithm = math.log(eta) + math.log(-math.log1p(-failed)) / law.shape
    return from_logarithm(logarithm, "failed", failed, "s")


def equivalent_stress(law: Breakdown, time: float, voltage: float, temperature: float = 300.0) -> float:
    """Return the time [s] at the law's voltage and 300 K that wears as much as ``time`` at another voltage does.

    Wear adds up as shares of the life (cumulative exposure): a Weibull law then holds for the sum.

    Raises:
        ArgumentError: a value out of range.
    """
    check_number("time", time, "s", may_vanish=True)
    life = characteristic_life(law, voltage, temperature)
    if time == 0.0:
        return 0.0
    return from_logarithm(math.log(time) + math.log(law.time) - math.log(life), "time", time, "s")


def draw_breakdown(
    law: Breakdown, cells: int, generator: np.random.Generator, life: float | None = None
) -> NDArray[np.float64]:
    """Draw the time [s] at which each of ``cells`` junctions breaks down under a constant stress.

    Args:
        law: of these junctions.
        cells: how many.
        generator: addressed with the purpose ``BREAKDOWN``.
        life: of :func:`characteristic_life` [s]; by default at the law's voltage, area and 300 K.

    Raises:
        ArgumentError: a number of cells below one, a life that is not positive.
    """
    if cells < 1:
        raise argument_error("cells", "be at least 1", cells)
    eta = law.time if life is None else life
    check_scale("life", eta, "s")
    return np.asarray(eta * generator.standard_exponential(cells) ** (1.0 / law.shape))
