"""Landau-Khalatnikov: one homogeneous polarisation that slides down a double well against friction.

Two-term free energy (device equation 1.13): viscosity dP/dt = E - (2 a P + 4 b P^3), with a and b such that the wells
lie at +-P_r and vanish at +-E_c:

    a = -(3 sqrt 3 / 4) E_c / P_r,      b = (3 sqrt 3 / 8) E_c / P_r^3.

E_c is the intrinsic coercive field, without nucleation: measured films switch far below it. A single grain of this kind
has no long logarithmic tail; for that see :mod:`ferrogen.device.polarization.domains` (Segatto 2025,
doi:10.1038/s41598-025-03469-8).

In units of P_r, E_c and viscosity P_r / E_c the equation is dp/ds = e - (3 sqrt 3 / 2) (p^3 - p). It is solved by the
Rosenbrock method RODAS3 with step control: of third order, L-stable, so stiff steps near a well may be long (Sandu et
al., Atmos. Environ. 31, 3459, 1997).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.arrays import finite_array
from ferrogen.core.errors import CardError, FerrogenError, argument_error, check_number
from ferrogen.device.polarization.spec import HysteresisSpec

_SLOPE = 1.5 * math.sqrt(3.0)
_LARGEST_FIELD = 1e6  # coercive fields: beyond, the cube overflows the step control
_MOST_STEPS = 1_000_000


@dataclass(frozen=True, slots=True)
class LandauParameters:
    """Parameters of the two-term free energy.

    Attributes:
        remanent_polarization: P_r, where the wells lie at zero field [C/m^2].
        coercive_field: E_c, intrinsic [V/m].
        viscosity: [Ohm m].
        bias_field: shift of the loop along the field [V/m].

    Raises:
        ArgumentError: a number is unusable.
    """

    remanent_polarization: float
    coercive_field: float
    viscosity: float
    bias_field: float = 0.0

    def __post_init__(self) -> None:
        check_number("remanent_polarization", self.remanent_polarization, "C/m^2")
        check_number("coercive_field", self.coercive_field, "V/m")
        check_number("viscosity", self.viscosity, "Ohm m")
        if not math.isfinite(self.bias_field):
            raise argument_error("bias_field", "be a finite field in V/m", self.bias_field)

    @property
    def linear_coefficient(self) -> float:
        """Coefficient a of the free energy [m/F], negative."""
        return -0.5 * _SLOPE * self.coercive_field / self.remanent_polarization

    @property
    def cubic_coefficient(self) -> float:
        """Coefficient b of the free energy [m^5 / (F C^2)]."""
        return 0.25 * _SLOPE * self.coercive_field / self.remanent_polarization**3

    @property
    def time_unit(self) -> float:
        """Time that the polarisation takes for P_r at the speed E_c / viscosity [s]."""
        return self.viscosity * self.remanent_polarization / self.coercive_field


def landau_parameters(spec: HysteresisSpec) -> LandauParameters:
    """Return the parameters that a card's section [hysteresis] states.

    Raises:
        CardError: the section says nothing about the viscosity.
    """
    if spec.viscosity is None:
        raise CardError("Section [hysteresis] has no `viscosity`, which Landau-Khalatnikov needs. Add it, in Ohm m.")
    intrinsic = spec.coercive_field if spec.intrinsic_coercive_field is None else spec.intrinsic_coercive_field
    return LandauParameters(
        remanent_polarization=spec.remanent_polarization.value,
        coercive_field=intrinsic.value,
        viscosity=spec.viscosity.value,
        bias_field=spec.bias_field.value,
    )


def static_field(parameters: LandauParameters, polarization: ArrayLike) -> NDArray[np.float64]:
    """Return the field [V/m] that holds a polarisation [C/m^2] still: the S-curve, unstable between its extrema.

    Raises:
        ArgumentError: a polarisation is not finite.
    """
    p = finite_array("polarization", polarization, "C/m^2")
    a, b = parameters.linear_coefficient, parameters.cubic_coefficient
    return np.asarray(2.0 * a * p + 4.0 * b * p**3 + parameters.bias_field)


def equilibria(parameters: LandauParameters, field: float) -> tuple[float, ...]:
    """Return the polarisations [C/m^2] at rest in a field [V/m]: one, or three of which the middle one is unstable.

    Raises:
        ArgumentError: the field is not finite.
    """
    if not math.isfinite(field):
        raise argument_error("field", "be a finite field in V/m", field)
    e = (field - parameters.bias_field) / parameters.coercive_field
    # p^3 - p = 2 e / (3 sqrt 3); with p = 2 cos(angle) / sqrt 3 the left side is 2 cos(3 angle) / (3 sqrt 3).
    scale = 2.0 / math.sqrt(3.0) * parameters.remanent_polarization
    if abs(e) > 1.0:
        return (math.copysign(scale * math.cosh(math.acosh(abs(e)) / 3.0), e),)
    angle = math.acos(e) / 3.0
    return tuple(sorted(scale * math.cos(angle + shift) for shift in (0.0, 2.0 * math.pi / 3.0, 4.0 * math.pi / 3.0)))


def relaxation_rate(parameters: LandauParameters, polarization: ArrayLike) -> NDArray[np.float64]:
    """Return (2 a + 12 b P^2) / viscosity [1/s], the decay rate of small deviations; negative where P is unstable.

    Raises:
        ArgumentError: a polarisation is not finite.
    """
    p = finite_array("polarization", polarization, "C/m^2")
    slope = 2.0 * parameters.linear_coefficient + 12.0 * parameters.cubic_coefficient * p**2
    return np.asarray(slope / parameters.viscosity)


def follow_landau(
    parameters: LandauParameters,
    polarization: ArrayLike,
    fields: ArrayLike,
    durations: ArrayLike,
    *,
    tolerance: float = 1e-8,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Follow a piecewise-constant field.

    Args:
        parameters: of all cells.
        polarization: before the first step [C/m^2], one number or of shape ``(cells,)``.
        fields: [V/m], shape ``(steps,)`` for all cells alike, or ``(cells, steps)``.
        durations: of the steps [s], shape ``(steps,)``.
        tolerance: error that one step of the integrator may make, relative to P_r.

    Returns:
        The polarisation after each step [C/m^2], shape ``(cells, steps)``, and after the last, shape ``(cells,)``.

    Raises:
        ArgumentError: a shape does not fit, or a number is unusable.
    """
    start = np.atleast_1d(np.asarray(polarization, dtype=np.float64)) / parameters.remanent_polarization
    lengths = np.ascontiguousarray(durations, dtype=np.float64) / parameters.time_unit
    values = np.atleast_2d(np.asarray(fields, dtype=np.float64))
    cells = max(start.shape[0], values.shape[0])
    if (
        start.ndim != 1
        or values.ndim != 2
        or {start.shape[0], values.shape[0]} - {1, cells}
        or lengths.shape != values.shape[1:]
    ):
        raise argument_error(
            "fields", "have the shape (steps,) or (cells, steps) of `durations` and `polarization`",
            f"of shape {np.shape(fields)}",
        )  # fmt: skip
    if not (np.all(np.isfinite(lengths)) and np.all(lengths > 0.0)):
        raise argument_error("durations", "be positive, finite times in s", "not")
    scaled = np.ascontiguousarray((values - parameters.bias_field) / parameters.coercive_field)
    if not np.all(np.abs(scaled) <= _LARGEST_FIELD):
        raise argument_error("fields", f"be finite and at most {_LARGEST_FIELD:g} coercive fields", "not")
    if not np.all(np.abs(start) <= 100.0 * max(1.0, float(np.cbrt(np.abs(scaled).max())))):
        raise argument_error("polarization", "be finite and of the order of the remanent one, in C/m^2", "not")
    check_number("tolerance", tolerance, "1")
    now = np.array(np.broadcast_to(start, (cells,)))
    out = np.empty((cells, lengths.size))
    if _slide(scaled, lengths, float(tolerance), now, out):
        raise FerrogenError(f"Landau-Khalatnikov needs more than {_MOST_STEPS} steps. Use a larger `tolerance`.")
    return parameters.remanent_polarization * out, parameters.remanent_polarization * now


@njit(cache=True, nogil=True, error_model="numpy")
def _slide(
    fields: NDArray[np.float64],
    durations: NDArray[np.float64],
    tolerance: float,
    now: NDArray[np.float64],
    out: NDArray[np.float64],
) -> int:
    """Integrate dp/ds = e - slope (p^3 - p) by RODAS3, all in reduced units; return 1 if it takes too many steps."""
    for cell in range(out.shape[0]):
        row = cell if fields.shape[0] > 1 else 0
        p = now[cell]
        h = 0.01
        for k in range(out.shape[1]):
            e = fields[row, k]
            left = durations[k]
            tries = 0
            while left > 0.0:
                tries += 1
                if tries > _MOST_STEPS:
                    return 1
                jacobian = -_SLOPE * (3.0 * p * p - 1.0)
                step = min(h, left)
                if jacobian > 0.0:  # between the wells: 1 / (h / 2) must stay well above the growth rate
                    step = min(step, 1.0 / jacobian)
                f = e - _SLOPE * (p * p * p - p)
                solve = 1.0 / (2.0 / step - jacobian)
                k1 = solve * f
                k2 = solve * (f + 4.0 / step * k1)
                q = p + 2.0 * k1
                f3 = e - _SLOPE * (q * q * q - q)
                k3 = solve * (f3 + (k1 - k2) / step)
                q = p + 2.0 * k1 + k3
                f4 = e - _SLOPE * (q * q * q - q)
                k4 = solve * (f4 + (k1 - k2 - 8.0 / 3.0 * k3) / step)
                error = abs(k4) / (tolerance * max(1.0, abs(p)))
                if error <= 1.0:
                    p += 2.0 * k1 + k3 + k4
                    left = 0.0 if step >= left else left - step
                h = step * min(4.0, max(0.2, 0.9 / max(error, 1e-9) ** (1.0 / 3.0)))
            out[cell, k] = p
        now[cell] = p
    return 0
