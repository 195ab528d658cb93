"""Closed forms of the switched fraction after one pulse: what fits compare measured pulses with.

A domain that waits for its switching time tau with the exponent b has switched by the time t with the probability
1 - exp[-(t / tau)^b]; that is P(ln tau < ln t - Y / b) for a random Y with the density e^(y - e^y) (Gumbel). So if tau
is distributed from domain to domain with the distribution function F, the switched fraction of the film is

    S(t) = Int F(ln t - y / b) e^(y - e^y) dy,

the distribution function smoothed over about 1 / b in ln t. As F is smooth, few nodes are enough. With Merz' law
ln(tau / tau0) = (E_a / E)^alpha, F becomes the distribution function of the activation field at
E [ln(t / tau0) - y / b]^(1 / alpha), and the integral ends where the bracket vanishes.

Fractions lie between 0 and 1; a pulse that starts from the other saturation moves the polarisation by 2 P_r S.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicHermiteSpline
from scipy.special import beta as beta_function
from scipy.special import betainc, erfc, expit

from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE

Array = NDArray[np.float64]

# Edges in y of the panels of Gauss-Legendre rules: below -16 lies 1e-7 of the weight, above 3.6 lies 1e-16.
_PANELS = np.array([3.6, 1.5, 0.0, -2.0, -5.0, -10.0, -16.0])
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)
_DEVIATIONS = np.array([-5.0, -3.0, -1.5, 0.0, 1.5, 3.0, 5.0])
_MOST_NODES = 20_000


class ActivationField(Protocol):
    """How the activation field is distributed over domains."""

    def below(self, field: Array) -> Array:
        """Return the share of domains whose activation field is below ``field`` [V/m], which is positive."""
        ...

    def edges(self) -> Array:
        """Return some positive fields [V/m] that cut the distribution into pieces on which it is smooth."""
        ...


@dataclass(frozen=True, slots=True)
class LogNormalField:
    """Log-normal activation field.

    Attributes:
        median: [V/m].
        log_width: standard deviation of the logarithm.
    """

    median: float
    log_width: float

    def __post_init__(self) -> None:
        check_number("median", self.median, "V/m")
        check_number("log_width", self.log_width, "1")

    def below(self, field: Array) -> Array:
        """Return the share of domains whose activation field is below ``field`` [V/m]."""
        return _normal_below((np.log(field) - math.log(self.median)) / self.log_width)

    def edges(self) -> Array:
        """Return the fields at some standard deviations."""
        return np.asarray(self.median * np.exp(self.log_width * _DEVIATIONS))


@dataclass(frozen=True, slots=True)
class GaussianField:
    """Normal activation field, cut at 0: an activation field is positive.

    Attributes:
        mean: before the cut [V/m].
        width: standard deviation before the cut [V/m].
    """

    mean: float
    width: float

    def __post_init__(self) -> None:
        check_number("mean", self.mean, "V/m")
        check_number("width", self.width, "V/m")

    def below(self, field: Array) -> Array:
        """Return the share of domains whose activation field is below ``field`` [V/m]."""
        cut = 0.5 * math.erfc(self.mean / self.width / math.sqrt(2.0))
        return (_normal_below((field - self.mean) / self.width) - cut) / (1.0 - cut)

    def edges(self) -> Array:
        """Return the fields at some standard deviations, as far as they are positive."""
        return np.maximum(self.mean + self.width * _DEVIATIONS, 1e-6 * self.width)


@dataclass(frozen=True, slots=True)
class GeneralizedBetaField:
    """Generalised beta of the second kind (equation 1.7; Alessandri 2019, doi:10.1109/TED.2019.2922268).

    The density is (a/b) (x/b)^(a p - 1) / {B(p, q) [1 + (x/b)^a]^(p + q)}.

    Attributes:
        shape: a.
        scale: b [V/m].
        lower: p, of the tail towards 0.
        upper: q, of the tail towards large fields.
    """

    shape: float
    scale: float
    lower: float
    upper: float

    def __post_init__(self) -> None:
        for name, unit in (("shape", "1"), ("scale", "V/m"), ("lower", "1"), ("upper", "1")):
            check_number(name, getattr(self, name), unit)

    def below(self, field: Array) -> Array:
        """Return the share of domains whose activation field is below ``field`` [V/m], to 1e-6.

        In u = a ln(x / b) it is the incomplete beta function of the logistic function of u. That costs a third of a
        microsecond a call; many values come from a cubic through its exact values and slopes on a grid.
        """
        position = self.shape * (np.log(field) - math.log(self.scale))
        if position.size < 1000:
            return np.asarray(betainc(self.lower, self.upper, expit(position)))
        low = max(float(position.min()), -20.0 / self.lower)
        high = min(float(position.max()), 20.0 / self.upper)
        if not low < high:
            return np.asarray(betainc(self.lower, self.upper, expit(position)))
        knots = np.linspace(low, high, max(2, math.ceil((high - low) / 0.2) + 1))
        slopes = expit(knots) ** self.lower * expit(-knots) ** self.upper / beta_function(self.lower, self.upper)
        curve = CubicHermiteSpline(knots, betainc(self.lower, self.upper, expit(knots)), slopes)
        return np.clip(curve(np.clip(position, low, high)), 0.0, 1.0)

    def edges(self) -> Array:
        """Return the fields at some multiples of the widths of both tails."""
        u = np.array([-12.0, -5.0, -1.5, 0.0, 1.5, 5.0, 12.0])
        tail = np.where(u < 0.0, min(self.lower, 1.0), min(self.upper, 1.0))
        return np.asarray(self.scale * np.exp(np.clip(u / tail / self.shape, -100.0, 100.0)))


def _normal_below(z: Array) -> Array:
    return 0.5 * np.asarray(erfc(z * -math.sqrt(0.5)))


def merz_time(
    field: ArrayLike,
    activation_field: ArrayLike,
    *,
    attempt_time: float,
    field_exponent: float,
    temperature: float = REFERENCE_TEMPERATURE,
) -> Array:
    """Return the switching time [s] of Merz' law, tau0 exp[(300 K / T) (E_a / |E|)^alpha]; infinite at zero field.

    Source: Merz 1954, doi:10.1103/PhysRev.95.690 (alpha = 1); ln tau proportional to 1 / T: see
    :mod:`ferrogen.device.polarization.domains`.

    Args:
        field: E [V/m].
        activation_field: E_a at 300 K [V/m].
        attempt_time: tau0 [s].
        field_exponent: alpha.
        temperature: T [K].

    Raises:
        ArgumentError: a parameter or activation field is not positive and finite, or a field is not finite.
    """
    _check_law(attempt_time, field_exponent, temperature)
    size = np.abs(_checked("field", field, "V/m", signed=True))
    own = _positive("activation_field", activation_field, "V/m")
    with np.errstate(divide="ignore", over="ignore"):
        barrier = (own / size) ** field_exponent
        return np.asarray(attempt_time * np.exp(barrier * REFERENCE_TEMPERATURE / temperature))


def switched_fraction(
    time: ArrayLike,
    field: ArrayLike,
    activation: ActivationField,
    *,
    attempt_time: float,
    field_exponent: float,
    nucleation_exponent: float = 1.0,
    temperature: float = REFERENCE_TEMPERATURE,
) -> Array:
    """Return the fraction switched by one pulse, for distributed activation fields (equation 1.6).

    Accurate to 1e-5 (tested against adaptive quadrature), in 1 ms for 150 pulses (``benchmarks/domain_ensemble.py``).

    Args:
        time: length of the pulse [s]; broadcasts with ``field``.
        field: its size [V/m]; the sign does not matter.
        activation: distribution of the activation field at 300 K.
        attempt_time: tau0 [s].
        field_exponent: alpha of Merz' law.
        nucleation_exponent: b of the waiting time.
        temperature: [K].

    Raises:
        ArgumentError: a number is unusable.
    """
    _check_law(attempt_time, field_exponent, temperature)
    check_number("nucleation_exponent", nucleation_exponent, "1")
    times, fields = np.broadcast_arrays(
        _checked("time", time, "s"), np.abs(_checked("field", field, "V/m", signed=True))
    )
    out = np.zeros(times.shape)
    some = (times > 0.0) & (fields > 0.0)
    if not some.any():
        return out
    length = np.log(times[some]) - math.log(attempt_time)
    # x = (E_a / E)^alpha runs over the panels that are left of those in y = b (length - x) where x is positive.
    base = np.maximum(length, 0.0)
    reduced = np.maximum(base[:, None] - _PANELS / nucleation_exponent, 0.0) ** (1.0 / field_exponent)
    # The distribution adds its own edges. Integrating over E_a / E keeps the integrand smooth where x goes to 0.
    cold = (temperature / REFERENCE_TEMPERATURE) ** (1.0 / field_exponent)
    strength = cold * fields[some][:, None]
    reduced = np.concatenate([reduced, np.clip(activation.edges() / strength, reduced[:, :1], reduced[:, -1:])], axis=1)
    reduced.sort(axis=1)
    middle, half = 0.5 * (reduced[:, 1:] + reduced[:, :-1]), 0.5 * (reduced[:, 1:] - reduced[:, :-1])
    nodes = np.maximum(middle[:, :, None] + half[:, :, None] * _NODES, 1e-300)
    x = nodes**field_exponent
    y = nucleation_exponent * (length[:, None, None] - x)
    weight = np.exp(y - np.exp(np.minimum(y, 6.0))) * (nucleation_exponent * field_exponent) * x / nodes
    share = activation.below(np.maximum(strength[:, :, None] * nodes, 1e-300))
    out[some] = np.clip(np.einsum("ijk,k,ij->i", share * weight, _WEIGHTS, half), 0.0, 1.0)
    return out


def kai_fraction(time: ArrayLike, switching_time: ArrayLike, dimension: float) -> Array:
    """Return the fraction switched by homogeneous nucleation and growth, 1 - exp[-(t / t0)^n] (equation 1.1).

    Source: Ishibashi and Takagi 1971, doi:10.1143/JPSJ.31.506.

    Args:
        time: t [s].
        switching_time: t0 [s]; broadcasts with ``time``.
        dimension: n, 1 to 3 for growth in as many dimensions.

    Raises:
        ArgumentError: a number is unusable.
    """
    check_number("dimension", dimension, "1")
    times, scale = _checked("time", time, "s"), _positive("switching_time", switching_time, "s")
    with np.errstate(over="ignore"):
        return np.asarray(-np.expm1(-((times / scale) ** dimension)))


def lorentzian_width(field: ArrayLike, base: float, slope: float) -> Array:
    """Return the half width in decades of Jo 2007 (doi:10.1103/PhysRevLett.99.267602), w0 + w1 / E^2 (equation 1.5).

    Args:
        field: E [V/m], not 0.
        base: w0 [1].
        slope: w1 [V^2/m^2].

    Raises:
        ArgumentError: a field is 0, or a number is unusable.
    """
    check_number("base", base, "1", may_vanish=True)
    check_number("slope", slope, "V^2/m^2", may_vanish=True)
    return np.asarray(base + slope / _positive("field", np.abs(np.asarray(field, dtype=np.float64)), "V/m") ** 2)


def lorentzian_fraction(
    time: ArrayLike, characteristic_time: ArrayLike, width: ArrayLike, exponent: float = math.inf
) -> Array:
    """Return the fraction switched with Lorentzian distributed log switching times (equations 1.2 to 1.4).

    Source: Tagantsev 2002, doi:10.1103/PhysRevB.66.214109; Jo 2007, doi:10.1103/PhysRevLett.99.267602.

    Args:
        time: t [s].
        characteristic_time: t1, centre of the distribution [s]; broadcasts with ``time``, as does ``width``.
        width: half width at half maximum, in decades.
        exponent: n of each region; infinite for the closed form 1/2 + atan(log10(t / t1) / w) / pi.

    Raises:
        ArgumentError: a number is unusable, or the width is too small beside 1 / n (then use :func:`kai_fraction`).
    """
    times, centre = _positive("time", time, "s"), _positive("characteristic_time", characteristic_time, "s")
    spread = _positive("width", width, "1")
    decades = (np.log(times) - np.log(centre)) / math.log(10.0)
    if math.isinf(exponent):
        return np.asarray(0.5 + np.arctan(decades / spread) / math.pi)
    y, weight = _gumbel_nodes(exponent, float(spread.min()) * math.log(10.0))
    decades, spread = np.broadcast_arrays(decades, spread)
    shifted = (decades[..., None] - y / (exponent * math.log(10.0))) / spread[..., None]
    return np.asarray((0.5 + np.arctan(shifted) / math.pi) @ weight)


def lognormal_fraction(time: ArrayLike, median_time: ArrayLike, log_width: ArrayLike, exponent: float = 1.0) -> Array:
    """Return the fraction switched with log-normal switching times (Guo 2018, doi:10.1063/1.5038038).

    Args:
        time: t [s].
        median_time: [s]; broadcasts with ``time``, as does ``log_width``.
        log_width: standard deviation of ln tau.
        exponent: of each region's waiting time; infinite if all of a region switches at its time.

    Raises:
        ArgumentError: a number is unusable, or the width is too small beside 1 / exponent (use :func:`kai_fraction`).
    """
    times, centre = _positive("time", time, "s"), _positive("median_time", median_time, "s")
    spread = _positive("log_width", log_width, "1")
    position = np.log(times) - np.log(centre)
    if math.isinf(exponent):
        return _normal_below(np.asarray(position / spread))
    y, weight = _gumbel_nodes(exponent, float(spread.min()))
    position, spread = np.broadcast_arrays(position, spread)
    return np.asarray(_normal_below((position[..., None] - y / exponent) / spread[..., None]) @ weight)


def _gumbel_nodes(exponent: float, width: float) -> tuple[Array, Array]:
    """Return nodes and weights for the density e^(y - e^y): a trapezoidal rule, finer where F is steep.

    Its error falls as exp(-2 pi d / h) with the distance d of the nearest singularity from the axis: pi / 2 for the
    weight, exponent * width for F.
    """
    check_number("exponent", exponent, "1")
    distance = min(0.4, exponent * width / 3.0)
    count = math.ceil(40.0 / distance) if distance > 40.0 / _MOST_NODES else _MOST_NODES + 1
    if count > _MOST_NODES:
        raise argument_error(
            "width", f"be at least {3.0 * 40.0 / _MOST_NODES / exponent:.2g} in ln(time)", f"{width:g}",
            "For regions that are all alike use `kai_fraction`.",
        )  # fmt: skip
    y = np.linspace(-36.0, 4.0, count)
    weight = np.exp(y - np.exp(y))
    return y, weight / weight.sum()


def _check_law(attempt_time: float, field_exponent: float, temperature: float) -> None:
    check_number("attempt_time", attempt_time, "s")
    check_number("field_exponent", field_exponent, "1")
    check_number("temperature", temperature, "K")


def _checked(name: str, values: ArrayLike, unit: str, *, signed: bool = False) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if not np.all(np.isfinite(array)) or (not signed and np.any(array < 0.0)):
        raise argument_error(name, f"be finite{'' if signed else ' and not negative'}, in {unit}", "not")
    return array


def _positive(name: str, values: ArrayLike, unit: str) -> Array:
    array = _checked(name, values, unit)
    if np.any(array <= 0.0):
        raise argument_error(name, f"be positive, in {unit}", "0 somewhere")
    return array
