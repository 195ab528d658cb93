"""From a card's barriers to the read model of arrays: on and off conductance and the voltage of the sinh.

The current of one polarisation is the reference integral through the stack's bands, plus what goes through single
traps, plus activated leakage, each where the card describes it. Both polarisations are then fitted by G V0 sinh(V / V0)
with one V0. What a fit leaves over is said with it: the two states of a real barrier do not have quite the same V0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from ferrogen.core.errors import CardError, ValidityError, argument_error, check_number
from ferrogen.device.card import DeviceCard
from ferrogen.device.electrostatics.stack import Stack, stack_of
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.transport.barrier import Bands, band_profile, bands_of
from ferrogen.device.transport.compact import averaged_conductance, conductance, effective_voltage
from ferrogen.device.transport.spec import TransportSpec
from ferrogen.device.transport.thermal import leakage_current
from ferrogen.device.transport.trap_assisted import AssistingTraps, assisting_traps_of, trap_assisted_current
from ferrogen.device.transport.wkb import tunnel_current

_LEAST_VOLTAGE, _LARGEST_VOLTAGE = 0.02, 20.0  # of the sinh that is fitted [V]


@dataclass(frozen=True, slots=True)
class Transport:
    """All that carries current through a junction.

    Attributes:
        stack: its layers.
        bands: their barriers and masses.
        read_polarization: size of the polarisation of a fully switched cell at read [C/m^2].
        compensation: share of it that interface charge compensates.
        traps: that assist tunnelling, or None.
        spec: the card's section, for its activated leakage.
        area: of a cell [m^2].
    """

    stack: Stack
    bands: Bands
    read_polarization: float
    compensation: float
    traps: AssistingTraps | None
    spec: TransportSpec
    area: float


@dataclass(frozen=True, slots=True)
class CurrentParts:
    """Current densities from top to bottom electrode [A/m^2].

    Attributes:
        tunnelling: through and over the barrier.
        trap_assisted: through single traps.
        leakage: activated.
    """

    tunnelling: NDArray[np.float64]
    trap_assisted: NDArray[np.float64]
    leakage: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        """Sum of all [A/m^2]."""
        return np.asarray(self.tunnelling + self.trap_assisted + self.leakage)


@dataclass(frozen=True, slots=True)
class CompactFit:
    """The compact read model that lies nearest to two characteristics.

    Attributes:
        on_conductance: at small voltages, in the unit of the currents over V.
        off_conductance: likewise.
        characteristic_voltage: common to both states [V].
        residual: root of the mean squared relative error (of the logarithm).
        largest_error: largest of these errors.
        on_voltage: characteristic voltage that the on state alone would have [V].
        off_voltage: the off state alone [V].
    """

    on_conductance: float
    off_conductance: float
    characteristic_voltage: float
    residual: float
    largest_error: float
    on_voltage: float
    off_voltage: float


def transport_of(card: DeviceCard) -> Transport:
    """Return what carries current through a card's junctions.

    The polarisation is ``read_polarization`` of [transport], or the remanent one of [switching]; the compensated share
    that of [transport], or else of [interface], or none.

    Raises:
        CardError: the card has no section [transport], or gives no polarisation, or half of a mechanism.
    """
    spec = card.require(TransportSpec)
    stack = stack_of(card)
    if spec.read_polarization is not None:
        polarization = spec.read_polarization.value
    elif card.switching is not None:
        polarization = card.switching.remanent_polarization.value
    else:
        raise CardError(
            f"Card '{card.name}' says no polarisation to read. Add `read_polarization` to [transport] or a section"
            " [switching]."
        )
    if spec.interface_compensation is not None:
        compensation = spec.interface_compensation.value
    else:
        compensation = 0.0 if card.interface is None else card.interface.compensated_share.value
    return Transport(
        stack=stack,
        bands=bands_of(spec, stack.interlayer_thickness),
        read_polarization=polarization,
        compensation=compensation,
        traps=assisting_traps_of(spec),
        spec=spec,
        area=card.cell_area.value,
    )


def current_density(
    transport: Transport, voltage: ArrayLike, polarization: ArrayLike, temperature: float = REFERENCE_TEMPERATURE
) -> CurrentParts:
    """Return the current densities [A/m^2] from top to bottom electrode, part by part.

    Args:
        transport: of the junction.
        voltage: top against bottom [V].
        polarization: positive downwards [C/m^2]; interface charge compensates the transport's share of it.
        temperature: [K].

    Raises:
        ArgumentError: an argument is not finite or out of range.
        ValidityError: no barrier is left at one of the electrodes.
    """
    check_number("temperature", temperature, "K")
    v, p = np.broadcast_arrays(np.asarray(voltage, dtype=np.float64), np.asarray(polarization, dtype=np.float64))
    profile = band_profile(transport.stack, transport.bands, v, p, -transport.compensation * p)
    least = min(
        float((profile.upper[..., 0] + v).min(initial=np.inf)), float(profile.lower[..., -1].min(initial=np.inf))
    )
    if least <= 0.0:
        raise ValidityError(
            f"Polarisation and voltage leave no barrier at one electrode ({least:.3g} eV above its Fermi level): that"
            " is a contact, no tunnel junction. Lower `voltage`, the screening lengths, or what is not compensated."
        )
    traps = transport.traps
    return CurrentParts(
        tunnelling=tunnel_current(profile, v, temperature),
        trap_assisted=np.zeros(v.shape) if traps is None else trap_assisted_current(profile, v, traps, temperature),
        leakage=leakage_current(transport.spec, v, temperature, p / transport.read_polarization),
    )


def reference_currents(
    transport: Transport, voltages: ArrayLike, temperature: float = REFERENCE_TEMPERATURE
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the current densities [A/m^2] with the polarisation up (towards the top electrode) and down."""
    p = transport.read_polarization
    up = current_density(transport, voltages, -p, temperature).total
    return up, current_density(transport, voltages, p, temperature).total


def fit_compact(voltages: ArrayLike, currents_on: ArrayLike, currents_off: ArrayLike) -> CompactFit:
    """Fit I = G V0 sinh(V / V0) to two states, with one V0, by least squares of the relative error.

    For a given V0 the best ln G is a mean; the one number left is searched for between 20 mV and 20 V (beyond, a state
    is ohmic for all that its currents tell).

    Args:
        voltages: not zero [V], shape ``(voltages,)``.
        currents_on: of the on state, each with the sign of its voltage; A, or A/m^2 for conductances in S/m^2.
        currents_off: of the off state.

    Raises:
        ArgumentError: shapes that do not fit, fewer than two voltages, a zero, or a current against its voltage.
    """
    v = np.asarray(voltages, dtype=np.float64)
    states = [np.asarray(item, dtype=np.float64) for item in (currents_on, currents_off)]
    if v.ndim != 1 or np.unique(np.abs(v)).size < 2 or not np.isfinite(v).all() or (v == 0.0).any():
        raise argument_error("voltages", "hold finite voltages in V, two or more, none of them zero", v)
    if np.abs(v).max() > _LARGEST_VOLTAGE * 0.5:
        raise argument_error("voltages", f"stay within {_LARGEST_VOLTAGE * 0.5:g} V", f"{np.abs(v).max():g} V")
    for name, item in zip(("currents_on", "currents_off"), states, strict=True):
        if item.shape != v.shape or not np.isfinite(item).all() or (item * np.sign(v) <= 0.0).any():
            raise argument_error(name, "hold one finite current a voltage, with its sign", item)
    logarithms = np.log(np.abs(np.stack(states)))

    def errors(scale: float, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        ratio = np.abs(v) / scale
        shape = np.log(scale) + ratio + np.log(-0.5 * np.expm1(-2.0 * ratio))  # ln of V0 sinh, without overflow
        left = rows - shape
        return np.asarray(left - left.mean(axis=-1, keepdims=True))

    def best(rows: NDArray[np.float64]) -> float:
        grid = np.geomspace(_LEAST_VOLTAGE, _LARGEST_VOLTAGE, 60)
        k = int(np.argmin([np.square(errors(scale, rows)).sum() for scale in grid]))
        found = optimize.minimize_scalar(
            lambda x: float(np.square(errors(float(np.exp(x)), rows)).sum()),
            bounds=(np.log(grid[max(k - 1, 0)]), np.log(grid[min(k + 1, 59)])),
            method="bounded",
            options={"xatol": 1e-9},
        )
        return float(np.exp(found.x))

    scale = best(logarithms)
    left = errors(scale, logarithms)
    means = (logarithms - np.log(np.abs(effective_voltage(v, scale)))).mean(axis=-1)
    return CompactFit(
        on_conductance=float(np.exp(means[0])),
        off_conductance=float(np.exp(means[1])),
        characteristic_voltage=scale,
        residual=float(np.sqrt(np.mean(left**2))),
        largest_error=float(np.abs(left).max()),
        on_voltage=best(logarithms[:1]),
        off_voltage=best(logarithms[1:]),
    )


def compact_of(
    transport: Transport, voltages: ArrayLike, temperature: float = REFERENCE_TEMPERATURE
) -> tuple[CompactFit, bool]:
    """Return the compact read model [S, V] of a cell that the reference current implies, and which state is on.

    Args:
        transport: of the junction.
        voltages: over which the model is to hold [V]; see :func:`fit_compact`.
        temperature: [K].

    Returns:
        The fit, conductances in S for the cell's area; and whether the on state has its polarisation down.

    Raises:
        ArgumentError: as :func:`fit_compact`.
    """
    up, down = (item * transport.area for item in reference_currents(transport, voltages, temperature))
    on_is_down = bool(np.abs(down).sum() > np.abs(up).sum())
    return fit_compact(voltages, *((down, up) if on_is_down else (up, down))), on_is_down


def domain_current(
    transport: Transport,
    switched_fraction: ArrayLike,
    lateral_coupling: float,
    voltage: float,
    temperature: float = REFERENCE_TEMPERATURE,
) -> NDArray[np.float64]:
    """Return the current density [A/m^2] of a cell with domains up and down, summed over them.

    A domain much wider than the film is thick has a barrier of its own; one much narrower than that sees the mean
    charge. In between a domain of polarisation P_k sees (1 - c) P_k + c (mean P), and its current is the reference
    current at that.

    Args:
        transport: of the junction.
        switched_fraction: share of the area whose polarisation points down (0 to 1).
        lateral_coupling: c, from 0 (wide domains) to 1.
        voltage: top against bottom [V].
        temperature: [K].

    Raises:
        ArgumentError: a fraction or the coupling lies outside of 0 to 1.
    """
    s = np.asarray(switched_fraction, dtype=np.float64)
    for name, item in (("switched_fraction", s), ("lateral_coupling", np.asarray(lateral_coupling))):
        if not ((item >= 0.0) & (item <= 1.0)).all():
            raise argument_error(name, "lie between 0 and 1", item)
    mean = lateral_coupling * (2.0 * s - 1.0)
    p = transport.read_polarization * np.stack([(1.0 - lateral_coupling) + mean, -(1.0 - lateral_coupling) + mean])
    current = current_density(transport, voltage, p, temperature).total
    return np.asarray(s * current[0] + (1.0 - s) * current[1])


def law_errors(
    transport: Transport, lateral_coupling: float, voltage: float, temperature: float = REFERENCE_TEMPERATURE
) -> tuple[float, float]:
    """Return how far two laws of mixing are from a sum over domains: rms of ln(law / sum) over 0 < s < 1.

    Returns:
        The error of parallel domains (2.13), then that of the averaged barrier (2.14).
    """
    s = np.linspace(0.0, 1.0, 21)
    current = np.abs(domain_current(transport, s, lateral_coupling, voltage, temperature))
    laws = (conductance(s, current[-1], current[0]), averaged_conductance(s, current[-1], current[0]))
    parallel, averaged = (float(np.sqrt(np.mean(np.log(law / current) ** 2))) for law in laws)
    return parallel, averaged
