"""The Preisach model with tanh branches: major loop, minor loops through turning points, and a lagging field.

The saturation branches are P = P_s tanh[(E -+ E_c) / (2 w)] with w = E_c / ln[(1 + P_r/P_s) / (1 - P_r/P_s)] (device
equation 1.10); a minor branch is the same curve, scaled and shifted to pass through the last two turning points (1.11;
Jiang et al., VLSI 1997). That rule is an exact Preisach model: with y = e^(E/w) and c = e^(E_c/w) one finds that the
scaled branches between the turning points a > b differ by

    D(a, b) = 2 P_s (y_a - y_b) / [(y_a + c) (c y_b + 1)],

the same whatever came before. D is an Everett integral: over hysterons whose density in the plane of switching fields
is a product of two logistic densities of the width w, around +E_c for switching up and -E_c for switching down
(:func:`preisach_density`), and over a reversible part (:func:`reversible_slope`). Hence wiping-out, return-point memory
and congruent minor loops hold exactly, and first-order reversal curves have a closed form.

The branches see an effective field that lags behind the applied one, tau dE_eff/dt = E - E_eff (1.12).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from ferrogen.core.arrays import finite_array
from ferrogen.core.errors import FerrogenError, argument_error, check_number, is_whole
from ferrogen.device.polarization.preisach_kernel import everett_value, walk
from ferrogen.device.polarization.spec import HysteresisSpec


@dataclass(frozen=True, slots=True)
class PreisachParameters:
    """Parameters of the tanh branches.

    Attributes:
        saturation_polarization: P_s [C/m^2].
        remanent_polarization: P_r, below P_s [C/m^2].
        coercive_field: E_c [V/m].
        bias_field: shift of the loop along the field [V/m].
        relaxation_time: of the effective field [s]; 0 for a quasi-static loop.

    Raises:
        ArgumentError: a number is unusable, or the remanent polarisation is not below saturation.
    """

    saturation_polarization: float
    remanent_polarization: float
    coercive_field: float
    bias_field: float = 0.0
    relaxation_time: float = 0.0

    def __post_init__(self) -> None:
        check_number("saturation_polarization", self.saturation_polarization, "C/m^2")
        check_number("remanent_polarization", self.remanent_polarization, "C/m^2")
        check_number("coercive_field", self.coercive_field, "V/m")
        check_number("relaxation_time", self.relaxation_time, "s", may_vanish=True)
        if not math.isfinite(self.bias_field):
            raise argument_error("bias_field", "be a finite field in V/m", self.bias_field)
        if self.remanent_polarization >= self.saturation_polarization:
            raise argument_error(
                "remanent_polarization",
                f"be below the saturation polarisation of {self.saturation_polarization:g} C/m^2",
                f"{self.remanent_polarization:g} C/m^2",
            )

    @property
    def branch_width(self) -> float:
        """Scale of the branches along the field, w [V/m]."""
        return self.coercive_field / (2.0 * math.atanh(self.remanent_polarization / self.saturation_polarization))


def preisach_parameters(spec: HysteresisSpec) -> PreisachParameters:
    """Return the parameters that a card's section [hysteresis] states.

    Raises:
        ArgumentError: the remanent polarisation is not below saturation.
    """
    return PreisachParameters(
        saturation_polarization=spec.saturation_polarization.value,
        remanent_polarization=spec.remanent_polarization.value,
        coercive_field=spec.coercive_field.value,
        bias_field=spec.bias_field.value,
        relaxation_time=spec.relaxation_time.value,
    )


@dataclass(frozen=True, slots=True, eq=False)
class PreisachState:
    """Memory of cells: the turning points that were not wiped out.

    Attributes:
        effective_field: [V/m], shape ``(cells,)``.
        turning_fields: [V/m], shape ``(cells, room)``; the first is minus or plus infinity, where the cell came from.
        turning_polarizations: [C/m^2], shape ``(cells, room)``.
        depth: number of turning points of each cell, shape ``(cells,)``.
        rising: 1 on an ascending branch, -1 on a descending one, shape ``(cells,)``.
    """

    effective_field: NDArray[np.float64]
    turning_fields: NDArray[np.float64]
    turning_polarizations: NDArray[np.float64]
    depth: NDArray[np.int64]
    rising: NDArray[np.int8]


def saturated_state(parameters: PreisachParameters, cells: int = 1, *, up: bool = False) -> PreisachState:
    """Return cells that come from saturation, at zero field: with -P_r (or +P_r, ``up``) on them.

    Raises:
        ArgumentError: ``cells`` is not a whole number from 1.
    """
    if not is_whole(cells, 1):
        raise argument_error("cells", "be a whole number from 1", cells)
    sign = 1.0 if up else -1.0
    return PreisachState(
        effective_field=np.zeros(cells),
        turning_fields=np.full((cells, 1), sign * math.inf),
        turning_polarizations=np.full((cells, 1), sign * parameters.saturation_polarization),
        depth=np.ones(cells, dtype=np.int64),
        rising=np.full(cells, -sign, dtype=np.int8),
    )


def follow_preisach(
    parameters: PreisachParameters, state: PreisachState, fields: ArrayLike, durations: ArrayLike
) -> tuple[NDArray[np.float64], PreisachState]:
    """Follow a piecewise-constant field.

    Args:
        parameters: of all cells.
        state: before the first step; it is not changed.
        fields: [V/m], shape ``(steps,)`` for all cells alike, or ``(cells, steps)``.
        durations: of the steps [s], shape ``(steps,)``; without a relaxation time they do not matter.

    Returns:
        The polarisation after each step [C/m^2], shape ``(cells, steps)``, and the state after the last.

    Raises:
        ArgumentError: a shape does not fit or a number is unusable.
    """
    lengths = np.ascontiguousarray(durations, dtype=np.float64)
    values = np.ascontiguousarray(np.atleast_2d(np.asarray(fields, dtype=np.float64)))
    cells = state.depth.shape[0]
    if lengths.ndim != 1 or values.ndim != 2 or values.shape[0] not in (1, cells) or values.shape[1] != lengths.size:
        raise argument_error(
            "fields", f"have the shape (steps,) or ({cells}, steps) of `durations`", f"of shape {np.shape(fields)}"
        )
    if not (np.all(np.isfinite(lengths)) and np.all(lengths > 0.0)):
        raise argument_error("durations", "be positive, finite times in s", "not")
    if not np.all(np.isfinite(values)):
        raise argument_error("fields", "be finite fields in V/m", "not")
    # The effective field turns at most once more than the applied one does.
    turns = np.count_nonzero(np.diff(np.sign(np.diff(values, axis=1)), axis=1), axis=1)
    room = int(state.depth.max()) + int(turns.max(initial=0)) + 2
    kept = min(state.turning_fields.shape[1], room)
    stack_fields, stack_levels = np.zeros((cells, room)), np.zeros((cells, room))
    stack_fields[:, :kept] = state.turning_fields[:, :kept]
    stack_levels[:, :kept] = state.turning_polarizations[:, :kept]
    after = PreisachState(
        np.array(state.effective_field), stack_fields, stack_levels, np.array(state.depth), np.array(state.rising)
    )
    out = np.empty((cells, lengths.size))
    full = walk(
        values, lengths, float(parameters.saturation_polarization), float(parameters.coercive_field),
        parameters.branch_width, float(parameters.bias_field), float(parameters.relaxation_time),
        after.effective_field, stack_fields, stack_levels, after.depth, after.rising, out,
    )  # fmt: skip
    if full:
        raise FerrogenError("The stack of turning points is full: the state does not belong to this model.")
    return out, after


def saturation_branch(parameters: PreisachParameters, field: ArrayLike, *, rising: bool) -> NDArray[np.float64]:
    """Return the polarisation on a branch of the major loop [C/m^2] (equation 1.10) at quasi-static fields [V/m].

    Raises:
        ArgumentError: a field is NaN; infinite ones are saturation.
    """
    e = np.asarray(field, dtype=np.float64)
    if np.isnan(e).any():
        raise argument_error("field", "be fields in V/m", "NaN somewhere")
    shift = parameters.coercive_field if rising else -parameters.coercive_field
    argument = (e - parameters.bias_field - shift) / (2.0 * parameters.branch_width)
    return np.asarray(parameters.saturation_polarization * np.tanh(argument))


def everett(parameters: PreisachParameters, upper: float, lower: float) -> float:
    """Return D(upper, lower) [C/m^2]: the polarisation between two turning points [V/m]; 0 if they are reversed.

    Raises:
        ArgumentError: a turning point is NaN; infinite ones are saturation.
    """
    if math.isnan(upper) or math.isnan(lower):
        raise argument_error("upper", "be, like `lower`, a field in V/m", f"{upper} and {lower}")
    bias = parameters.bias_field
    return float(
        everett_value(
            float(upper) - bias, float(lower) - bias, float(parameters.saturation_polarization),
            float(parameters.coercive_field), parameters.branch_width,
        )
    )  # fmt: skip


def preisach_density(parameters: PreisachParameters, upper: ArrayLike, lower: ArrayLike) -> NDArray[np.float64]:
    """Return the density of hysterons that switch up at ``upper`` and down at ``lower`` [C/m^2 / (V/m)^2].

    Minus half of the mixed derivative of D: it is what first-order reversal curves measure, -1/2 d2P / (dE dE_r).

    Args:
        parameters: of the branches.
        upper: switching field upwards [V/m].
        lower: switching field downwards [V/m]; broadcasts with ``upper``.

    Raises:
        ArgumentError: a field is not finite.
    """
    width, coercive = parameters.branch_width, parameters.coercive_field
    a, b = (
        finite_array(name, item, "V/m") - parameters.bias_field for name, item in (("upper", upper), ("lower", lower))
    )
    up = 0.25 / width / np.cosh(np.clip((a - coercive) / (2.0 * width), -300.0, 300.0)) ** 2
    down = 0.25 / width / np.cosh(np.clip((b + coercive) / (2.0 * width), -300.0, 300.0)) ** 2
    scale = parameters.saturation_polarization * -math.expm1(-2.0 * coercive / width)
    return np.where(a > b, scale * up * down, 0.0)


def reversible_slope(parameters: PreisachParameters, field: ArrayLike) -> NDArray[np.float64]:
    """Return dP/dE right after the field turned [F/m]: the part of the polarisation that follows without hysteresis.

    Args:
        parameters: of the branches.
        field: where it turned [V/m].

    Raises:
        ArgumentError: a field is not finite.
    """
    width, coercive = parameters.branch_width, parameters.coercive_field
    e = finite_array("field", field, "V/m") - parameters.bias_field
    up, down = expit((e - coercive) / width), expit(-(e + coercive) / width)
    return np.asarray(2.0 * parameters.saturation_polarization / width * up * down)
