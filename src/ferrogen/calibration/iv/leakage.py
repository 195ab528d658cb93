"""Laws of leakage over voltage and temperature: activated sinh, hopping, Poole-Frenkel, thermionic, tunnelling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.compare import Law, Tried, try_laws
from ferrogen.calibration.fit import Free
from ferrogen.calibration.iv.curves import CurveSet, voltage_blocks
from ferrogen.core.errors import ArgumentError
from ferrogen.device.transport.barrier import Barrier, trapezoid_profile
from ferrogen.device.transport.compact import effective_voltage
from ferrogen.device.transport.thermal import (
    arrhenius,
    hopping,
    poole_frenkel,
    poole_frenkel_lowering,
    schottky_lowering,
    thermionic,
)
from ferrogen.device.transport.trap_assisted import AssistingTraps, trap_assisted_current
from ferrogen.device.transport.wkb import tunnel_current

Array = NDArray[np.float64]
Current = Callable[[dict[str, float], Array, Array], Array]
"""(parameters, voltage sizes [V], temperature [K]) -> current density for a prefactor of one."""

ACTIVATED = "activated sinh"
POOLE_FRENKEL = "Poole-Frenkel, permittivity free"
TEXTBOOK = "Poole-Frenkel, optical permittivity"
TUNNELLING = "tunnelling (integral)"
TRAPS = "tunnelling through single traps"
_DENSITIES = (1e18, 1e29)  # of traps that a card allows [1/m^3]
_ATTEMPT_RATE = 1e13  # of the traps [1/s]; the data tell only its product with their density


def leakage_laws(
    data: CurveSet, sign: float, thickness: float, permittivity: float, *, traps: bool = False
) -> tuple[list[Law], Array, Array]:
    """Return the laws for one polarity, with the voltages and temperatures of their residuals (of ln J).

    Args:
        data: curves at several temperatures.
        sign: of the voltage.
        thickness: of the film [m].
        permittivity: optical, that the textbook forms have [1].
        traps: add tunnelling through single traps, which takes a minute.
    """
    parts = [(curve, curve.voltage * sign > 0.0) for curve in data.curves]
    volts = np.concatenate([np.abs(curve.voltage[keep]) for curve, keep in parts])
    heats = np.concatenate([np.full(int(keep.sum()), curve.temperature) for curve, keep in parts])
    logs = np.concatenate([np.log(np.abs(data.density(curve)[keep])) for curve, keep in parts])
    top = float(volts.max()) / thickness
    least = max(0.02, float(volts.max()) / 600.0)

    def activated(p: dict[str, float], v: Array, t: Array) -> Array:
        return effective_voltage(v, p["leakage_voltage"]) * _by_level(t, p["leakage_activation_energy"])

    def hops(p: dict[str, float], v: Array, t: Array) -> Array:
        return hopping(v / thickness, t, p["hop_energy"], p["hop_distance"], 1.0)

    def frenkel(p: dict[str, float], v: Array, t: Array) -> Array:
        return poole_frenkel(v / thickness, t, p["trap_energy"], p.get("optical_permittivity", permittivity), 1.0)

    def emission(p: dict[str, float], v: Array, t: Array) -> Array:
        return thermionic(v / thickness, t, p["barrier_height"], p.get("optical_permittivity", permittivity))

    def assisted(p: dict[str, float], v: Array, t: Array) -> Array:
        found = np.empty_like(v)
        barrier = Barrier(p["barrier_height"], p["barrier_height"], thickness, p["tunnelling_mass"])
        sites = AssistingTraps(1.0, p["trap_energy"], 0.0, p["relaxation_energy"], _ATTEMPT_RATE)
        for level in np.unique(t):
            own = t == level
            found[own] = trap_assisted_current(trapezoid_profile(barrier, v[own]), v[own], sites, float(level))
        return found

    def tunnels(p: dict[str, float], v: Array, t: Array) -> Array:
        found = np.empty_like(v)
        barrier = Barrier(p["barrier_height"], p["barrier_height"], thickness, p["tunnelling_mass"])
        for level in np.unique(t):
            own = t == level
            found[own] = tunnel_current(trapezoid_profile(barrier, v[own]), v[own], float(level))
        return found

    free_permittivity = Free("optical_permittivity", 10.0, 1.0, 1e4, logarithmic=True)
    trap = _energy("trap_energy", float(poole_frenkel_lowering(top, min(permittivity, 10.0))))
    height = _energy("barrier_height", float(schottky_lowering(top, min(permittivity, 10.0))))
    conductivity = ("conductivity", "S/m")
    richardson = ("richardson_mass", "1")
    laws = [
        _law(ACTIVATED, activated, ("leakage_conductance", "S/m^2"), [
            Free("leakage_voltage", max(0.3 * float(volts.max()), least), least, 20.0, logarithmic=True, unit="V"),
            Free("leakage_activation_energy", 0.3, 0.0, 3.0, unit="eV"),
        ], volts, heats, logs),
        _law("hopping", hops, ("current_scale", "A/m^2"), [
            Free("hop_energy", min(0.5 + 5e-10 * top, 2.9), 1e-3, 3.0, unit="eV"),
            Free("hop_distance", 5e-10, 1e-11, 5e-8, logarithmic=True, unit="m"),
        ], volts, heats, logs),
        _law(POOLE_FRENKEL, frenkel, conductivity, [trap, free_permittivity], volts, heats, logs),
        _law(TEXTBOOK, frenkel, conductivity, [trap], volts, heats, logs),
        _law("thermionic, permittivity free", emission, richardson, [height, free_permittivity], volts, heats, logs),
        _law("thermionic, optical permittivity", emission, richardson, [height], volts, heats, logs),
        _law(TUNNELLING, tunnels, None, [
            Free("barrier_height", 2.0, 0.1, 6.0, unit="eV"),
            Free("tunnelling_mass", 0.2, 0.01, 5.0, logarithmic=True),
        ], volts, heats, logs),
    ]  # fmt: skip
    if traps:
        sited = _law(TRAPS, assisted, ("trap_density", "1/m^3", *_DENSITIES), [
            Free("trap_energy", 1.5, 0.1, 4.0, unit="eV"),
            Free("relaxation_energy", 0.8, 0.1, 3.0, unit="eV"),
            Free("barrier_height", 1.6, 0.3, 5.0, unit="eV"),
            Free("tunnelling_mass", 0.2, 0.01, 5.0, logarithmic=True),
        ], volts, heats, logs)  # fmt: skip
        laws += [] if sited is None else [replace(sited, evaluations=60)]
    return [law for law in laws if law is not None], volts, heats


def compare_leakage(
    data: CurveSet,
    sign: float,
    thickness: float,
    permittivity: float,
    generator: np.random.Generator,
    *,
    traps: bool = False,
) -> list[Tried]:
    """Fit the laws of leakage to one polarity; best by AIC first. Cross-validated over voltages.

    Arguments as for :func:`leakage_laws`.
    """
    laws, volts, _ = leakage_laws(data, sign, thickness, permittivity, traps=traps)
    return try_laws(laws, voltage_blocks(volts), generator)


def _by_level(temperature: Array, energy: float) -> Array:
    return arrhenius(max(energy, 0.0), temperature)


def _energy(name: str, lowering: float) -> Free:
    """Return an energy whose start leaves a barrier in the highest field."""
    return Free(name, min(1.3 * lowering + 0.3, 9.9), 1e-3, 10.0, unit="eV")


def _law(
    name: str,
    current: Current,
    prefactor: tuple[str, str] | tuple[str, str, float, float] | None,
    free: Sequence[Free],
    volts: Array,
    heats: Array,
    logs: Array,
) -> Law | None:
    """Return a law for ln J, its prefactor started where the residuals have no mean; None if it has no start."""

    def shape(values: dict[str, float]) -> Array:
        try:
            found = current(values, volts, heats)
        except ArgumentError:  # outside of where the formula holds: no solution there
            return np.full(volts.shape, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(found > 0.0, np.log(found), np.nan)

    start = shape({item.name: item.start for item in free})
    if not np.isfinite(start).all():
        return None
    if prefactor is None:
        return Law(name, lambda values: logs - shape(values), list(free), starts=4)
    key, unit, *ends = prefactor
    middle = math.exp(min(max(float(np.mean(logs - start)), -600.0), 600.0))
    low, high = ends or (middle * 1e-40, middle * 1e40)
    scale = Free(key, min(max(middle, low), high), low, high, logarithmic=True, unit=unit)
    return Law(name, lambda values: logs - math.log(values[key]) - shape(values), [scale, *free], starts=1)
