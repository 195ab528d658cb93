"""How large a telegraph step is: against the cell's area, its conduction, and its state.

* Direct tunnelling: an electron on the trap raises the barrier around it, and so blocks an area A_eff of the cell's A:
  dI / I = A_eff / A (:func:`blocked_area`, :func:`area_step`).
* Percolation: the trap blocks one of N paths of defects: dI / I = 1 / N (:func:`path_step`).
* By default log-normal, as measured on filamentary oxides, with a median that falls as 1 / A, and clipped
  (:func:`clipped_moment`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.arrays import finite_array
from ferrogen.core.constants import ELECTRON_MASS, ELEMENTARY_CHARGE, PLANCK, VACUUM_PERMITTIVITY
from ferrogen.core.errors import ArgumentError, CardError, argument_error, check_number
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.spec import NoiseSpec
from ferrogen.device.noise.traps import REFERENCE_AREA

Array = NDArray[np.float64]

MOST_BLOCKED = 0.95
"""Largest share of a cell's current that all its traps together can block."""

_RADII, _DEPTHS = 120, 64  # nodes of the integrals over the barrier: 1e-4 of the area
_MODES = 400  # of the potential between the plates


def potential_between_plates(
    radius: ArrayLike, position: ArrayLike, depth: float, thickness: float, permittivity: float
) -> Array:
    """Return the potential [V] of one elementary charge between two grounded plates.

    V = (q / pi eps t) sum over n of sin(n pi z / t) sin(n pi z0 / t) K0(n pi r / t), which converges fast away from the
    axis (Jackson, Classical Electrodynamics, problem 3.20).

    Args:
        radius: distance from the axis through the charge [m], not zero.
        position: distance from the first plate [m]; broadcasts.
        depth: the charge's [m].
        thickness: between the plates [m].
        permittivity: relative, of what is between them [1].
    """
    from scipy.special import k0

    r, z = np.asarray(radius, dtype=np.float64), np.asarray(position, dtype=np.float64)
    total = np.zeros(np.broadcast_shapes(r.shape, z.shape))
    for n in range(1, _MODES + 1):
        wave = n * math.pi / thickness
        total = total + math.sin(wave * depth) * np.sin(wave * z) * k0(wave * r)
    return np.asarray(ELEMENTARY_CHARGE / (math.pi * permittivity * VACUUM_PERMITTIVITY * thickness) * total)


def blocked_area(
    thickness: float, depth: float, permittivity: float, barrier_height: float, tunnelling_mass: float
) -> float:
    """Return the area [m^2] whose direct tunnelling current one trapped electron suppresses.

    The electron raises the barrier by its potential between the plates; the WKB transmission at the Fermi level, and
    at a low voltage, is compared with that of the bare barrier and the loss integrated over the cell's plane.

    Args:
        thickness: of the barrier [m].
        depth: of the trap, between 0 and the thickness [m].
        permittivity: relative [1].
        barrier_height: [eV].
        tunnelling_mass: in electron masses [1].

    Raises:
        ArgumentError: a quantity that is not positive, or a trap outside of the barrier.
    """
    for name, value, unit in (
        ("thickness", thickness, "m"),
        ("depth", depth, "m"),
        ("permittivity", permittivity, "1"),
        ("barrier_height", barrier_height, "eV"),
        ("tunnelling_mass", tunnelling_mass, "electron masses"),
    ):
        check_number(name, value, unit)
    if depth >= thickness:
        raise argument_error("depth", f"be less than the thickness, {thickness:g} m", f"{depth:g} m")
    # r = t e^x: the potential diverges as 1 / r at the charge, where everything is blocked anyway
    x, weight = np.polynomial.legendre.leggauss(_RADII)
    low, high = math.log(1e-2), math.log(4.0)  # K0 of 4 pi is 1e-6; within 1e-2 t lies less than 3e-4 t^2
    r = thickness * np.exp(low + (high - low) * (x + 1.0) / 2.0)
    radial = weight * (high - low) / 2.0 * r * 2.0 * math.pi * r
    y, along = np.polynomial.legendre.leggauss(_DEPTHS)
    halves = [(0.0, depth), (depth, thickness)]  # the potential has a kink-like maximum at the trap's depth
    z = np.concatenate([a + (b - a) * (y + 1.0) / 2.0 for a, b in halves])
    dz = np.concatenate([(b - a) / 2.0 * along for a, b in halves])
    raised = barrier_height + potential_between_plates(r[:, None], z, depth, thickness, permittivity)
    wave = 4.0 * math.pi * math.sqrt(2.0 * tunnelling_mass * ELECTRON_MASS * ELEMENTARY_CHARGE) / PLANCK
    loss = -np.expm1(-wave * ((np.sqrt(raised) - math.sqrt(barrier_height)) @ dz))
    core = math.pi * (1e-2 * thickness) ** 2 * float(loss[0])
    return float(radial @ loss) + core


def area_step(blocked: float, area: ArrayLike) -> Array:
    """Return the relative current step of a trap that blocks ``blocked`` [m^2] of a cell of ``area`` [m^2], at most 1.

    Raises:
        ArgumentError: an area that is not positive.
    """
    check_number("blocked", blocked, "m^2")
    cell = np.asarray(area, dtype=np.float64)
    if not np.all(cell > 0.0):
        raise argument_error("area", "be positive in m^2", np.ravel(cell)[:3])
    return np.asarray(np.minimum(blocked / cell, 1.0))


def path_step(paths: ArrayLike) -> Array:
    """Return the relative current step of a trap that blocks one of ``paths`` (at least 1) equal percolation paths.

    Raises:
        ArgumentError: fewer than one path.
    """
    number = np.asarray(paths, dtype=np.float64)
    if not np.all(number >= 1.0):
        raise argument_error("paths", "be at least 1", np.ravel(number)[:3])
    return np.asarray(1.0 / number)


def mechanism_step(card: DeviceCard) -> float:
    """Return the relative step that a card's mechanism of conduction implies, to compare with its ``trap_amplitude``.

    The larger of the area that one electron blocks and of one percolation path, over the cell's area.

    Raises:
        CardError: the card's section [noise] is missing, or gives neither area.
    """
    noise = card.require(NoiseSpec)
    areas = [item.value for item in (noise.blocked_area, noise.path_area) if item is not None]
    if not areas:
        raise CardError(
            f"Card '{card.name}' does not say how a trap blocks the current."
            " Add `blocked_area` (direct tunnelling) or `path_area` (percolation), in m^2, under [noise]."
        )
    return min(max(areas) / card.cell_area.value, 1.0)


def clipped_moment(median: float, log_width: float, limit: float, order: int) -> float:
    """Return E[min(m e^(s z), limit)^order], z normal: a moment of a log-normal amplitude that is clipped.

    Args:
        median: m, positive.
        log_width: s, the standard deviation of the logarithm, not negative.
        limit: largest amplitude, positive.
        order: of the moment, at least 1.

    Raises:
        ArgumentError: an argument outside of these.
    """
    from scipy.special import ndtr

    check_number("median", median, "1")
    check_number("log_width", log_width, "1", may_vanish=True)
    check_number("limit", limit, "1")
    if order < 1:
        raise argument_error("order", "be at least 1", order)
    if log_width == 0.0:
        return float(min(median, limit) ** order)
    edge = math.log(limit / median) / log_width
    below = math.exp(order * math.log(median) + (order * log_width) ** 2 / 2.0) * float(ndtr(edge - order * log_width))
    return below + limit**order * float(ndtr(-edge))


def amplitude_moment(card: DeviceCard, order: int) -> float:
    """Return E[amplitude^order] of a card's traps, in the on state: clipped log-normal, median as 1 / area.

    Raises:
        ArgumentError: an order below 1.
    """
    return scaled_amplitude_moment(card, 1.0, order)


def scaled_amplitude_moment(card: DeviceCard, factor: float, order: int) -> float:
    """Return E[min(factor x amplitude, limit)^order] of a card's traps, the amplitude being clipped already.

    Args:
        card: gives median, width, area and limit.
        factor: of the state, see :func:`state_amplitude` [1].
        order: of the moment, at least 1.

    Raises:
        ArgumentError: an order below 1, a factor that is not positive.
    """
    check_number("factor", factor, "1")
    if card.trap_amplitude.value == 0.0:
        return 0.0
    spread, limit = card.trap_amplitude.spread, card.trap_amplitude_limit.value
    width = (spread.value or 0.0) if spread else 0.0
    median = card.trap_amplitude.value * REFERENCE_AREA / card.cell_area.value
    # an amplitude clipped at `limit`, then scaled: with a factor below 1 the second clip never acts
    return factor**order * clipped_moment(median, width, limit / max(factor, 1.0), order)


def state_amplitude(amplitude: ArrayLike, switched_fraction: ArrayLike, off_factor: float, limit: float) -> Array:
    """Return the relative step of a trap in a state: ``amplitude`` when on, ``off_factor`` times that when off.

    Args:
        amplitude: size of the relative step in the on state [1].
        switched_fraction: 0 (off) to 1 (on); broadcasts.
        off_factor: relative step in the off state over that in the on state [1].
        limit: largest relative step of one trap [1].

    Raises:
        ArgumentError: a switched fraction outside 0 to 1, or an amplitude that is not finite.
    """
    s = np.asarray(switched_fraction, dtype=np.float64)
    if not np.all((s >= 0.0) & (s <= 1.0)):
        raise ArgumentError(f"Argument `switched_fraction` must lie between 0 and 1, but it is {np.ravel(s)[:3]}.")
    size = np.abs(finite_array("amplitude", amplitude, "parts of the current"))
    return np.asarray(np.minimum(size * (1.0 + (off_factor - 1.0) * (1.0 - s)), limit))


def blocked_shares(
    amplitude: Array,
    cell: NDArray[np.int64],
    cells: int,
    switched_fraction: ArrayLike,
    off_factor: float,
    limit: float,
) -> Array:
    """Return the share of its cell's current that each trap of many cells blocks when occupied, shape ``(traps,)``.

    All traps of a cell together block at most :data:`MOST_BLOCKED` of it; where they would block more, their steps
    shrink in proportion.

    Args:
        amplitude: size of each trap's relative step in the on state [1], shape ``(traps,)``.
        cell: index of the cell each trap sits in, same shape.
        cells: number of cells.
        switched_fraction: of each trap's cell, 0 (off) to 1 (on), same shape or one number.
        off_factor: relative step in the off state over that in the on state [1].
        limit: largest relative step of one trap [1].

    Raises:
        ArgumentError: a switched fraction outside 0 to 1.
    """
    blocked = state_amplitude(amplitude, switched_fraction, off_factor, limit)
    together = np.bincount(cell, weights=blocked, minlength=cells)
    shrink = np.minimum(1.0, MOST_BLOCKED / np.maximum(together, MOST_BLOCKED))
    return np.asarray(blocked * shrink[cell])
