"""Rates of a strongly coupled multiphonon transition: a trap captures over the crossing of two parabolas.

Empty, the trap's energy is E q^2 of a lattice coordinate q; occupied it is (E / R^2) (q - 1)^2 + dE, with the
relaxation energy E, the ratio R of the two lattice frequencies, and dE, the trap's level above the Fermi level. The
barriers are the heights of the parabolas' crossing, so capture / emission = exp(-dE / kT) for every R (detailed
balance). R = 1 gives (E + dE)^2 / (4 E) and (E - dE)^2 / (4 E). Source: Grasser 2012,
doi:10.1016/j.microrel.2011.09.002, whose eps_12 = E / (1 + R)^2 + R dE / (1 + R) + R dE^2 / (4 E) is the expansion of
the crossing to second order in dE.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.constants import BOLTZMANN_EV
from ferrogen.core.errors import ValidityError, argument_error, check_number

Array = NDArray[np.float64]

_COLDEST = 1e-3  # K; classical rates mean nothing there, and below, energies over kT overflow


def check_temperature(temperature: float) -> None:
    """Refuse a temperature [K] that is not finite, or so low that energies over kT overflow.

    Raises:
        ArgumentError: naming it.
    """
    check_number("temperature", temperature, "K")
    if temperature < _COLDEST:
        raise argument_error("temperature", f"be at least {_COLDEST:g} K", f"{temperature:g} K")


def equal_curvature_rates(
    attempt_rate: Array, relaxation_energy: Array, offset: Array, temperature: float
) -> tuple[Array, Array]:
    """Return (capture rate, emission rate) [1/s] for R = 1, unchecked: the inner loop of a trap population.

    Args:
        attempt_rate: rate without a barrier [1/s].
        relaxation_energy: [eV].
        offset: level above the Fermi level, smaller than the relaxation energy [eV].
        temperature: [K].
    """
    barrier = 4.0 * relaxation_energy * (BOLTZMANN_EV * temperature)
    capture = attempt_rate * np.exp(-((relaxation_energy + offset) ** 2) / barrier)
    emission = attempt_rate * np.exp(-((relaxation_energy - offset) ** 2) / barrier)
    return capture, emission


def barriers(relaxation_energy: ArrayLike, offset: ArrayLike, curvature_ratio: ArrayLike = 1.0) -> tuple[Array, Array]:
    """Return (capture barrier, emission barrier) [eV], the exact crossing of the two parabolas.

    Args:
        relaxation_energy: E [eV], positive.
        offset: dE, level above the Fermi level [eV]; the crossing must lie between the two minima.
        curvature_ratio: R [1], positive. All arguments broadcast.

    Raises:
        ArgumentError: a relaxation energy or curvature ratio that is not positive and finite.
        ValidityError: a level so far away that the parabolas cross beyond a minimum (inverted region), or not at all.
    """
    energy, shift, ratio = (
        np.asarray(value, dtype=np.float64) for value in (relaxation_energy, offset, curvature_ratio)
    )
    for name, value, unit in (("relaxation_energy", energy, "eV"), ("curvature_ratio", ratio, "1")):
        if not np.all(np.isfinite(value) & (value > 0.0)):
            raise argument_error(name, f"hold positive, finite numbers in {unit}", np.ravel(value)[:3])
    # Crossing at the occupied minimum (q = 1) if dE = E, at the empty one (q = 0) if dE = -E / R^2.
    if not np.all((shift < energy) & (shift > -energy / ratio**2)):
        raise ValidityError(
            "Argument `offset` must lie between -relaxation_energy / curvature_ratio^2 and relaxation_energy (in eV),"
            f" where the parabolas cross between their minima, but it is {np.ravel(shift)[:3]}."
            " A smaller voltage, or a trap nearer to the Fermi level, would."
        )
    relative = shift / energy
    excess = ratio**2 - 1.0
    root = np.sqrt(1.0 + excess * relative)
    # (R root - 1) / (R^2 - 1), multiplied out by its conjugate so that R = 1 is no singular point.
    crossing = (1.0 + ratio**2 * relative) / (ratio * root + 1.0)
    capture = energy * crossing**2
    # From the other minimum, (E / R^2) (1 - q)^2: computed as such, for capture - dE would cancel.
    emission = energy / ratio**2 * (1.0 - crossing) ** 2
    return capture, emission


def barrier_expansion(relaxation_energy: ArrayLike, offset: ArrayLike, curvature_ratio: ArrayLike = 1.0) -> Array:
    """Return the capture barrier [eV] to second order in the offset, as Grasser 2012 writes it (exact for R = 1).

    Args:
        relaxation_energy: E [eV].
        offset: dE [eV], small against E.
        curvature_ratio: R [1]. All arguments broadcast.
    """
    energy, shift, ratio = (
        np.asarray(value, dtype=np.float64) for value in (relaxation_energy, offset, curvature_ratio)
    )
    return np.asarray(energy / (1.0 + ratio) ** 2 + ratio * shift / (1.0 + ratio) + ratio * shift**2 / (4.0 * energy))


def multiphonon_rates(
    attempt_rate: ArrayLike,
    relaxation_energy: ArrayLike,
    offset: ArrayLike,
    temperature: float,
    curvature_ratio: float = 1.0,
) -> tuple[Array, Array]:
    """Return (capture rate, emission rate) [1/s] of multiphonon transitions.

    Args:
        attempt_rate: rate without a barrier [1/s].
        relaxation_energy: E [eV].
        offset: level above the Fermi level of the electrode [eV].
        temperature: [K].
        curvature_ratio: R [1]. The arrays broadcast.

    Raises:
        ArgumentError: a temperature, energy, attempt rate or ratio that is not positive.
        ValidityError: a level beyond the relaxation energy, see :func:`barriers`.
    """
    check_temperature(temperature)
    check_number("curvature_ratio", curvature_ratio, "1")
    attempt = np.asarray(attempt_rate, dtype=np.float64)
    if not np.all(np.isfinite(attempt) & (attempt > 0.0)):
        raise argument_error("attempt_rate", "hold positive, finite rates in 1/s", np.ravel(attempt)[:3])
    forth, back = barriers(relaxation_energy, offset, curvature_ratio)
    if curvature_ratio == 1.0:
        energy, shift = (np.asarray(value, dtype=np.float64) for value in (relaxation_energy, offset))
        return equal_curvature_rates(attempt, energy, shift, temperature)
    thermal = BOLTZMANN_EV * temperature
    return np.asarray(attempt * np.exp(-forth / thermal)), np.asarray(attempt * np.exp(-back / thermal))
