"""Current through traps in the ferroelectric: an electron tunnels in, the lattice relaxes around it, it tunnels out.

A trap at depth x exchanges electrons with both electrodes. With T(E, x) the WKB transmission from an electrode to x, f
its occupation, D = E - E_t and S the relaxation energy, strongly coupled multiphonon capture and emission are

    capture  = nu int f(E)       T(E, x) exp[-(S - D)^2 / (4 S kT)] dE / sqrt(4 pi S kT),
    emission = nu int [1 - f(E)] T(E, x) exp[-(S + D)^2 / (4 S kT)] dE / sqrt(4 pi S kT),

the rates of Vandelli 2011 (doi:10.1109/TED.2011.2158825) summed over the electrode's electrons, with the same barrier
(S - D)^2 / 4S as the card's noise. Their ratio is e^((mu - E_t) / kT) exactly, so no current flows at 0 V. In steady
state a trap passes on (c_b e_t - c_t e_b) / (c_t + e_t + c_b + e_b) electrons a second (t, b: top, bottom), which is 1
/ (tau_c + tau_e) where one electrode only fills and the other only empties it; the current is q times its integral over
the traps.

Each electron passes one trap. Chains of traps, which limit the read current of thick bilayers (Segatto 2026), are not
here, nor is the charge of filled traps in the electrostatics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.constants import BOLTZMANN_EV, ELEMENTARY_CHARGE
from ferrogen.core.errors import CardError, argument_error, check_number, is_whole
from ferrogen.device.transport.barrier import BandProfile
from ferrogen.device.transport.spec import TransportSpec
from ferrogen.device.transport.wkb import linear_action

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_MOST_NODES = 500


@dataclass(frozen=True, slots=True)
class AssistingTraps:
    """Traps that assist tunnelling, spread evenly over the ferroelectric.

    Attributes:
        density: [1/m^3].
        energy: below the conduction band [eV].
        energy_half_width: of its uniform distribution [eV].
        relaxation_energy: of the lattice [eV].
        attempt_rate: nu, of an exchange without any barrier [1/s].
    """

    density: float
    energy: float
    energy_half_width: float
    relaxation_energy: float
    attempt_rate: float

    def __post_init__(self) -> None:
        check_number("density", self.density, "1/m^3", may_vanish=True)
        check_number("energy", self.energy, "eV")
        check_number("energy_half_width", self.energy_half_width, "eV", may_vanish=True)
        check_number("relaxation_energy", self.relaxation_energy, "eV")
        check_number("attempt_rate", self.attempt_rate, "1/s")


def assisting_traps_of(transport: TransportSpec) -> AssistingTraps | None:
    """Return the traps of a section [transport], or None where it gives no density.

    Raises:
        CardError: it gives a density, but not all the rest.
    """
    if transport.tunnelling_trap_density is None:
        return None
    energy, relaxation = transport.tunnelling_trap_energy, transport.tunnelling_trap_relaxation_energy
    rate = transport.tunnelling_trap_attempt_rate
    if energy is None or relaxation is None or rate is None:
        raise CardError(
            "The section [transport] has `tunnelling_trap_density`, but lacks `tunnelling_trap_energy`,"
            " `tunnelling_trap_relaxation_energy` or `tunnelling_trap_attempt_rate`. Add them, or leave all four out."
        )
    return AssistingTraps(
        transport.tunnelling_trap_density.value, energy.value, energy.reach, relaxation.value, rate.value
    )


def exchange_rates(
    profile: BandProfile,
    voltage: ArrayLike,
    depth: ArrayLike,
    energy: ArrayLike,
    traps: AssistingTraps,
    temperature: float = 300.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the rates [1/s] of capture and emission from and to the top, then the bottom electrode.

    Args:
        profile: bands, of shape ``(...)``.
        voltage: top against bottom [V], shape ``(...)``.
        depth: of the traps in the ferroelectric, as a share of its thickness from the top, shape ``(traps,)``.
        energy: of each trap below the conduction band [eV], shape ``(traps,)``.
        traps: their relaxation energy and attempt rate.
        temperature: [K].

    Returns:
        (top capture, top emission, bottom capture, bottom emission), each of shape ``(..., traps)``.

    Raises:
        ArgumentError: the temperature is not positive and finite.
    """
    check_number("temperature", temperature, "K")
    thermal = BOLTZMANN_EV * temperature
    share, below = np.asarray(depth, dtype=np.float64), np.asarray(energy, dtype=np.float64)
    v = np.broadcast_to(np.asarray(voltage, dtype=np.float64), profile.upper.shape[:-1])[..., None]
    k = profile.ferroelectric
    edge = profile.upper[..., k, None] + share * (profile.lower[..., k, None] - profile.upper[..., k, None])
    level = edge - below
    rates: list[NDArray[np.float64]] = []
    for from_top in (True, False):
        fermi = np.broadcast_to(-v if from_top else np.zeros_like(v), level.shape)
        for capture in (True, False):
            centre = level + (1.0 if capture else -1.0) * traps.relaxation_energy
            width = np.sqrt(2.0 * traps.relaxation_energy * thermal)
            e, weight = _energies(fermi, centre, width, thermal)
            x = np.clip((e - fermi[..., None]) / thermal, -700.0, 700.0)
            occupation = 1.0 / (1.0 + np.exp(x if capture else -x))
            bell = np.exp(-0.5 * ((e - centre[..., None]) / width) ** 2) / (width * np.sqrt(2.0 * np.pi))
            passed = np.exp(-_action_to(profile, edge, share, e, from_top=from_top))
            rates.append(traps.attempt_rate * (occupation * bell * passed * weight).sum(axis=-1))
    return rates[0], rates[1], rates[2], rates[3]


def trap_assisted_current(
    profile: BandProfile,
    voltage: ArrayLike,
    traps: AssistingTraps,
    temperature: float = 300.0,
    depth_panels: int = 8,
    level_nodes: int = 5,
) -> NDArray[np.float64]:
    """Return the current density through single traps [A/m^2], from top to bottom electrode.

    Args:
        profile: bands at that voltage, of shape ``(...)``.
        voltage: top against bottom [V].
        traps: that assist.
        temperature: [K].
        depth_panels: of eight Gauss nodes each, for the quadrature over the depth: the current peaks sharply where
            both electrodes are equally far in action.
        level_nodes: of that over the level (one if all traps have the same).

    Returns:
        Shape ``(...)``; 0 at 0 V.

    Raises:
        ArgumentError: an argument is out of range.
    """
    check_number("temperature", temperature, "K")
    for name, number in (("depth_panels", depth_panels), ("level_nodes", level_nodes)):
        if not is_whole(number, 1, _MOST_NODES):
            raise argument_error(name, f"be a whole number from 1 to {_MOST_NODES}", number)
    levels = level_nodes if traps.energy_half_width > 0.0 else 1
    y, y_weight = np.polynomial.legendre.leggauss(levels)
    places = ((np.arange(depth_panels)[:, None] + 0.5 * (_NODES + 1.0)) / depth_panels).ravel()
    depth = np.repeat(places, levels)
    energy = np.tile(traps.energy + traps.energy_half_width * y, places.size)
    weight = np.repeat(np.tile(0.5 * _WEIGHTS / depth_panels, depth_panels), levels)
    weight = weight * np.tile(0.5 * y_weight, places.size)
    top_in, top_out, bottom_in, bottom_out = exchange_rates(profile, voltage, depth, energy, traps, temperature)
    total = top_in + top_out + bottom_in + bottom_out
    # c_t e_b = c_b e_t e^(-V / kT) by detailed balance: their difference without cancellation, and with the right sign.
    v = np.broadcast_to(np.asarray(voltage, dtype=np.float64), profile.upper.shape[:-1])[..., None]
    capture, emission = np.where(v > 0.0, bottom_in, top_in), np.where(v > 0.0, top_out, bottom_out)
    driven = np.sign(v) * -np.expm1(-np.abs(v) / (BOLTZMANN_EV * temperature))
    passed = capture / np.maximum(total, 1e-300) * emission * driven
    thickness = profile.thickness[profile.ferroelectric]
    return np.asarray(ELEMENTARY_CHARGE * traps.density * thickness * (passed * weight).sum(axis=-1))


def _action_to(
    profile: BandProfile,
    edge: NDArray[np.float64],
    share: NDArray[np.float64],
    energy: NDArray[np.float64],
    *,
    from_top: bool,
) -> NDArray[np.float64]:
    """Return the action from an electrode to the traps, shape of ``energy``: ``(..., traps, energies)``."""
    k = profile.ferroelectric
    others = range(k) if from_top else range(k + 1, profile.thickness.shape[0])
    outer = (profile.upper if from_top else profile.lower)[..., k, None, None]
    length = profile.thickness[k] * (share if from_top else 1.0 - share)
    action = linear_action(outer, edge[..., None], length[:, None], profile.mass[k], energy)
    for j in others:
        upper, lower = profile.upper[..., j, None, None], profile.lower[..., j, None, None]
        action = action + linear_action(upper, lower, profile.thickness[j], profile.mass[j], energy)
    return action


def _energies(
    fermi: NDArray[np.float64], centre: NDArray[np.float64], width: float, thermal: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return nodes and weights [eV], shape ``(..., nodes)``: fine at the Fermi level and over the bell of phonons."""
    low = np.minimum(centre - 9.0 * width, fermi - 2.0)
    high = np.maximum(centre + 9.0 * width, fermi + 40.0 * thermal)
    points = [low, high]
    points += [centre + step * width for step in (-6.0, -4.0, -2.5, -1.2, 0.0, 1.2, 2.5, 4.0, 6.0)]
    points += [fermi + step * thermal for step in (-24.0, -12.0, -6.0, -2.0, 2.0, 6.0, 12.0, 24.0)]
    stacked = np.sort(np.clip(np.stack(points, axis=-1), low[..., None], high[..., None]), axis=-1)
    width_of = np.diff(stacked, axis=-1)
    nodes = stacked[..., :-1, None] + 0.5 * width_of[..., None] * (1.0 + _NODES)
    weights = 0.5 * width_of[..., None] * _WEIGHTS
    flat = (*low.shape, int(np.prod(nodes.shape[-2:])))
    return nodes.reshape(flat), weights.reshape(flat)
