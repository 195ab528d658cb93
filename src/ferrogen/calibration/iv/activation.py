"""Activation energy at each bias, and what Poole-Frenkel would have to be: its apparent optical permittivity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.iv.curves import Branch, CurveSet, branch
from ferrogen.core.constants import BOLTZMANN_EV
from ferrogen.device.transport.thermal import activation_energy, poole_frenkel_lowering

Array = NDArray[np.float64]

_SLACK = 0.02  # of the largest voltage, by which the ranges of temperatures may differ at their ends


@dataclass(frozen=True, slots=True)
class ActivationPoint:
    """The activation energy at one bias.

    Attributes:
        voltage: with its sign [V].
        energy: [eV].
        standard_error: from the scatter of repeats, and of more than two temperatures about their line [eV]; NaN if
            there is neither.
        temperatures: how many it rests on.
    """

    voltage: float
    energy: float
    standard_error: float
    temperatures: int

    def record(self) -> dict[str, float]:
        """Return the numbers by name."""
        return {
            "voltage": self.voltage, "energy": self.energy, "standard_error": self.standard_error,
            "temperatures": self.temperatures,
        }  # fmt: skip


def activation_energies(data: CurveSet, sign: float) -> list[ActivationPoint]:
    """Return the activation energy at each voltage of one polarity that at least two temperatures reach.

    The logarithms of the currents are interpolated to the voltages of the lowest temperature. ``sign`` is that of the
    voltage.
    """
    levels = data.temperatures
    branches = [(level, branch(data.at(level), sign)) for level in levels]
    found = [(level, item) for level, item in branches if item is not None]
    if len(found) < 2:
        return []
    repeats = sum(item.freedom for _, item in found)
    variance = sum(item.scatter for _, item in found) / repeats if repeats else math.nan
    slack = _SLACK * float(found[0][1].voltage[-1])
    points = []
    for stated in found[0][1].voltage:
        inside = [
            (level, item) for level, item in found if item.voltage[0] - slack <= stated <= item.voltage[-1] + slack
        ]
        # The source does not set quite the same voltages at every temperature: the ends of the ranges differ a little.
        volt = min(max([stated, *(item.voltage[0] for _, item in inside)]), *(item.voltage[-1] for _, item in inside))
        if len(inside) < 2:
            continue
        heats = np.array([level for level, _ in inside])
        logs = np.array([float(np.interp(volt, item.voltage, item.log_current)) for _, item in inside])
        energy = float(activation_energy(heats, np.exp(logs - logs.mean())))
        points.append(ActivationPoint(sign * float(volt), energy, _error(heats, logs, energy, variance), heats.size))
    return points


def _error(temperatures: Array, logs: Array, energy: float, variance: float) -> float:
    x = 1.0 / (BOLTZMANN_EV * temperatures)
    x = x - x.mean()
    left = logs - logs.mean() + energy * x
    freedom = temperatures.size - 2
    about = float(left @ left) / freedom if freedom > 0 else math.nan
    known = [item for item in (variance, about) if math.isfinite(item)]
    return math.sqrt(max(known) / float(x @ x)) if known else math.nan


@dataclass(frozen=True, slots=True)
class ApparentPermittivity:
    """The optical permittivity that Poole-Frenkel would need for one curve.

    Attributes:
        temperature: [K].
        sign: of the voltage.
        value: [1]; infinite if ln(J / E) does not rise with the root of the field.
        standard_error: [1].
    """

    temperature: float
    sign: float
    value: float
    standard_error: float

    def excludes(self, expected: float, factor: float) -> bool:
        """Return whether two standard errors about the value leave out all from expected / factor to x factor."""
        return self.value - 2.0 * self.standard_error > expected * factor or (
            self.value + 2.0 * self.standard_error < expected / factor
        )


def apparent_permittivities(data: CurveSet, thickness: float) -> list[ApparentPermittivity]:
    """Return the permittivity from the slope of ln(J / E) over sqrt(E), by temperature and polarity.

    ln(J / E) = const + beta sqrt(E) / kT with beta = sqrt(q / (pi eps0 eps)), equation (2.11).

    Args:
        data: at any temperatures.
        thickness: of the film [m].
    """
    found = []
    for level in data.temperatures:
        for sign in (1.0, -1.0):
            own = branch(data.at(level), sign)
            if own is None or own.voltage.size < 4:
                continue
            found.append(_permittivity(own, level, sign, thickness))
    return found


def _permittivity(own: Branch, temperature: float, sign: float, thickness: float) -> ApparentPermittivity:
    field = own.voltage / thickness
    x, y = np.sqrt(field), own.log_current - np.log(field)
    x, y = x - x.mean(), y - y.mean()
    slope = float(x @ y) / float(x @ x)
    left = y - slope * x
    error = math.sqrt(float(left @ left) / (x.size - 2) / float(x @ x))
    beta = float(poole_frenkel_lowering(1.0, 1.0))  # for a permittivity of 1, eV per root of V/m
    if slope <= 0.0:
        return ApparentPermittivity(temperature, sign, math.inf, 0.0)
    value = (beta / (slope * BOLTZMANN_EV * temperature)) ** 2
    return ApparentPermittivity(temperature, sign, value, 2.0 * value * error / slope)
