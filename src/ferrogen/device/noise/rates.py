"""How fast a trap captures and emits: carriers that reach it (Shockley-Read-Hall), and what level and depth do to it.

Capture, Kirton and Uren 1989 (doi:10.1080/00018738900101122):

    1 / tau_c = n v_th sigma,   sigma = sigma_00 exp(-x / x0) exp(-E_B / kT),   x0 = hbar / (2 sqrt(2 m phi)),

and emission by detailed balance, tau_c / tau_e = g exp[(E_T - E_F) / kT]. Lattice relaxation instead of a fixed barrier
is in :mod:`ferrogen.device.noise.multiphonon`. Both take the trap's *offset* E_T - E_F, which the voltage or, seen from
the polarised film, the field at the trap moves (:func:`offset_in_field`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.arrays import finite_array
from ferrogen.core.constants import BOLTZMANN, BOLTZMANN_EV, ELECTRON_MASS, ELEMENTARY_CHARGE, PLANCK
from ferrogen.core.errors import ArgumentError, argument_error, check_number
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.multiphonon import barriers, check_temperature, multiphonon_rates
from ferrogen.device.noise.spec import NoiseSpec
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE, TrapPopulation

Array = NDArray[np.float64]


def attenuation_length(barrier_height: float, tunnelling_mass: float) -> float:
    """Return x0 [m], over which a tunnelling electron's probability falls by e: hbar / (2 sqrt(2 m phi)).

    Args:
        barrier_height: phi [eV].
        tunnelling_mass: in electron masses [1].

    Raises:
        ArgumentError: one of them is not positive.
    """
    check_number("barrier_height", barrier_height, "eV")
    check_number("tunnelling_mass", tunnelling_mass, "electron masses")
    momentum = math.sqrt(2.0 * ELECTRON_MASS * ELEMENTARY_CHARGE) * math.sqrt(tunnelling_mass)
    momentum *= math.sqrt(barrier_height)  # one by one: no product underflows
    return PLANCK / (2.0 * math.pi) / (2.0 * momentum)


def thermal_velocity(temperature: float, effective_mass: float = 1.0) -> float:
    """Return the mean speed [m/s] of carriers with Maxwell's distribution, sqrt(8 kT / (pi m)).

    Args:
        temperature: [K].
        effective_mass: in electron masses [1].

    Raises:
        ArgumentError: one of them is not positive.
    """
    check_temperature(temperature)
    check_number("effective_mass", effective_mass, "electron masses")
    return math.sqrt(8.0 * BOLTZMANN * temperature / (math.pi * effective_mass * ELECTRON_MASS))


def _boltzmann(energy: Array, temperature: float, name: str) -> Array:
    """Return exp(energy / kT), refused where it leaves the range of numbers."""
    exponent = energy / (BOLTZMANN_EV * temperature)
    if not np.all(np.abs(exponent) < 690.0):  # NaN too
        raise argument_error(name, "lie within +-690 kT", f"{np.ravel(energy)[:3]} eV")
    return np.asarray(np.exp(exponent))


@dataclass(frozen=True, slots=True)
class ShockleyReadHall:
    """Capture of an electrode's carriers by traps in the film (Kirton and Uren 1989).

    Attributes:
        cross_section: sigma_00, at the electrode and without thermal barrier [m^2].
        attenuation_length: x0 [m].
        capture_barrier: E_B [eV].
        carrier_density: n at 300 K [1/m^3].
        density_exponent: n grows as this power of the temperature [1].
        effective_mass: of the carriers, in electron masses [1].
        degeneracy: g of the occupied state [1].
    """

    cross_section: float
    attenuation_length: float
    capture_barrier: float
    carrier_density: float
    density_exponent: float = 0.0
    effective_mass: float = 1.0
    degeneracy: float = 1.0

    def __post_init__(self) -> None:
        check_number("cross_section", self.cross_section, "m^2")
        check_number("attenuation_length", self.attenuation_length, "m")
        check_number("capture_barrier", self.capture_barrier, "eV", may_vanish=True)
        check_number("carrier_density", self.carrier_density, "1/m^3")
        check_number("density_exponent", self.density_exponent, "1", may_vanish=True)
        check_number("effective_mass", self.effective_mass, "electron masses")
        check_number("degeneracy", self.degeneracy, "1")

    def rates(self, offset: ArrayLike, depth: ArrayLike, temperature: float) -> tuple[Array, Array]:
        """Return (capture rate, emission rate) [1/s].

        Args:
            offset: trap level above the Fermi level of the electrode [eV].
            depth: distance from that electrode [m]; broadcasts with ``offset``.
            temperature: [K].

        Raises:
            ArgumentError: a negative depth, a temperature that is not positive, an offset beyond 690 kT.
        """
        check_temperature(temperature)
        shift, x = np.asarray(offset, dtype=np.float64), np.asarray(depth, dtype=np.float64)
        if not np.all(np.isfinite(x) & (x >= 0.0)):
            raise argument_error("depth", "hold finite lengths in m that are not negative", np.ravel(x)[:3])
        density = self.carrier_density * (temperature / REFERENCE_TEMPERATURE) ** self.density_exponent
        barrier = math.exp(-self.capture_barrier / (BOLTZMANN_EV * temperature))
        section = self.cross_section * barrier * np.exp(-x / self.attenuation_length)
        # A deep trap's capture may underflow to 0: it is then frozen, and both rates are 0 together.
        emptier = self.degeneracy * _boltzmann(shift, temperature, "offset")
        capture = density * thermal_velocity(temperature, self.effective_mass) * section * np.ones_like(shift)
        return capture, np.asarray(capture * emptier)

    def activation_energy(self, temperature: float) -> float:
        """Return -d ln(capture rate) / d(1 / kT) [eV] at a temperature [K]: E_B + (1/2 + exponent) kT."""
        check_temperature(temperature)
        return self.capture_barrier + (0.5 + self.density_exponent) * BOLTZMANN_EV * temperature


def shockley_read_hall(card: DeviceCard) -> ShockleyReadHall:
    """Return a card's capture model, from its section [noise].

    Raises:
        CardError: the card has no such section.
    """
    noise = card.require(NoiseSpec)
    exponent = noise.carrier_density_exponent
    return ShockleyReadHall(
        cross_section=noise.capture_cross_section.value,
        attenuation_length=noise.attenuation_length.value,
        capture_barrier=noise.capture_barrier.value,
        carrier_density=noise.carrier_density.value,
        density_exponent=exponent.value if exponent else 0.0,
    )


def curvature_ratio(card: DeviceCard) -> float:
    """Return R of the card's multiphonon transitions; 1 where its section [noise] does not say.

    Raises:
        CardError: the card has no section [noise].
    """
    ratio = card.require(NoiseSpec).curvature_ratio
    return ratio.value if ratio else 1.0


def attempt_rate(time_constant: ArrayLike, relaxation_energy: ArrayLike, ratio: float = 1.0) -> Array:
    """Return the attempt rate [1/s] of traps with 1/(capture + emission) = ``time_constant`` at the crossing and 300 K.

    Args:
        time_constant: [s].
        relaxation_energy: [eV]; broadcasts.
        ratio: R of the curvatures [1].

    Raises:
        ArgumentError: a time, an energy or a ratio that is not positive, or a barrier beyond 690 kT.
    """
    tau = np.asarray(time_constant, dtype=np.float64)
    if not np.all(np.isfinite(tau) & (tau > 0.0)):
        raise argument_error("time_constant", "hold positive, finite times in s", np.ravel(tau)[:3])
    forth, _ = barriers(relaxation_energy, 0.0, ratio)
    return np.asarray(_boltzmann(forth, REFERENCE_TEMPERATURE, "relaxation_energy") / (2.0 * tau))


def offset_in_field(level: ArrayLike, depth: ArrayLike, field: ArrayLike) -> Array:
    """Return a trap's level above the electrode's Fermi level [eV], lowered by the field between the two: E_T - q F x.

    Without polarisation the field is the voltage over the stack's thickness, and this is ``level - V x / t``. In a
    polarised stack it is the ferroelectric's whole field, depolarisation included, which also has to hold the charge
    that compensates it: far more than a read voltage applies.

    Args:
        level: at zero field [eV].
        depth: distance from the electrode [m].
        field: [V/m], positive if it points so that the trap falls. All broadcast.

    Raises:
        ArgumentError: an argument is not finite.
    """
    fall = finite_array("field", field, "V/m") * finite_array("depth", depth, "m")
    return np.asarray(finite_array("level", level, "eV") - fall)


def rates_in_field(
    traps: TrapPopulation, depth: Array, field: ArrayLike, temperature: float, ratio: float = 1.0
) -> tuple[Array, Array]:
    """Return (capture rate, emission rate) [1/s] of traps where the field [V/m] at each is known.

    Args:
        traps: the population; its ``relative_depth`` is not used.
        depth: distance from the electrode [m], shape ``(traps,)``, as ``traps.relative_depth * stack_thickness(card)``.
        field: at each trap, or one for all [V/m]; see :func:`offset_in_field`.
        temperature: [K].
        ratio: R of the curvatures [1]. The population's attempt rates are for 1; with another ratio the time constant
            at the crossing is kept, as the card states it.

    Raises:
        ValidityError: a field that pulls a level beyond the relaxation energy.
        ArgumentError: a temperature or ratio that is not positive.
    """
    offset = offset_in_field(traps.level, depth, field)
    attempt = traps.attempt_rate
    if ratio != 1.0:
        change = barriers(traps.relaxation_energy, 0.0, ratio)[0] - traps.relaxation_energy / 4.0
        attempt = attempt * _boltzmann(change, REFERENCE_TEMPERATURE, "ratio")
    return multiphonon_rates(attempt, traps.relaxation_energy, offset, temperature, ratio)


def depth_from_bias_slope(slope: ArrayLike, temperature: float, thickness: float) -> Array:
    """Return a trap's depth [m] from how its capture to emission time ratio falls with the voltage.

    x = -t (kT / q) d ln(tau_c / tau_e) / dV. A negative depth is that of a trap that exchanges with the other
    electrode, so far from it.

    Args:
        slope: d ln(tau_c / tau_e) / dV [1/V].
        temperature: [K].
        thickness: of the stack, in metres of the layer the trap is in (``stack_thickness``).

    Raises:
        ArgumentError: a temperature or thickness that is not positive, or a slope that puts the trap outside the stack.
    """
    check_temperature(temperature)
    check_number("thickness", thickness, "m")
    share = -BOLTZMANN_EV * temperature * np.asarray(slope, dtype=np.float64)
    if not np.all(np.abs(share) <= 1.0):
        raise argument_error(
            "slope", f"lie within +-{1.0 / (BOLTZMANN_EV * temperature):.4g} 1/V, or the trap is outside of the stack",
            f"{np.ravel(slope)[:3]} 1/V",
        )  # fmt: skip
    return np.asarray(share * thickness)


def arrhenius_slope(temperature: ArrayLike, rate: ArrayLike) -> tuple[float, float]:
    """Return (activation energy [eV], its standard error [eV]) of rates: -d ln(rate) / d(1 / kT) by least squares.

    Args:
        temperature: [K], shape ``(points,)``, at least two different ones.
        rate: [1/s], same shape, positive.

    Returns:
        The error follows from the scatter about the line; it is infinite for two points, which tell nothing of it.

    Raises:
        ArgumentError: fewer than two different temperatures, or numbers that are not positive.
    """
    kelvin, values = np.asarray(temperature, dtype=np.float64), np.asarray(rate, dtype=np.float64)
    if kelvin.ndim != 1 or kelvin.shape != values.shape or np.unique(kelvin).shape[0] < 2:
        raise ArgumentError(
            "Arguments `temperature` and `rate` must be two lists as long as each other with at least two different"
            f" temperatures in K, but their shapes are {kelvin.shape} and {values.shape}."
        )
    for name, value, unit in (("temperature", kelvin, "K"), ("rate", values, "1/s")):
        if not np.all(np.isfinite(value) & (value > 0.0)):
            raise argument_error(name, f"hold positive, finite numbers in {unit}", value[:3])
    x, y = -1.0 / (BOLTZMANN_EV * kelvin), np.log(values)
    dx, dy = x - x.mean(), y - y.mean()
    slope = float(dx @ dy / (dx @ dx))
    freedom = kelvin.shape[0] - 2
    error = math.sqrt(float(((dy - slope * dx) ** 2).sum() / freedom / (dx @ dx))) if freedom else math.inf
    return slope, error
