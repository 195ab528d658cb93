"""The turning-point stack against an explicit Preisach plane, the scaled branches of (1.11), and integrals."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate

from ferrogen.core.errors import ArgumentError, FerrogenError
from ferrogen.device.parameter import Parameter
from ferrogen.device.polarization.preisach import (
    PreisachParameters,
    everett,
    follow_preisach,
    preisach_density,
    preisach_parameters,
    reversible_slope,
    saturated_state,
    saturation_branch,
)
from ferrogen.device.polarization.spec import HysteresisSpec

PARAMETERS = PreisachParameters(0.3, 0.24, 1.2e8, bias_field=0.1e8)


def _polarization(fields: list[float] | NDArray[np.float64], parameters: PreisachParameters = PARAMETERS,
                  **start: bool) -> NDArray[np.float64]:  # fmt: skip
    out, _ = follow_preisach(parameters, saturated_state(parameters, **start), fields, np.ones(len(fields)))
    return out[0]


def test_everett_is_the_integral_over_the_plane() -> None:
    for upper, lower in ((2e8, -0.5e8), (0.5e8, 0.1e8), (5e8, -5e8)):
        switched, _ = integrate.dblquad(
            lambda b, a: float(preisach_density(PARAMETERS, a, b)), lower, upper, lower, lambda a: a, epsabs=1e-12
        )
        reversible, _ = integrate.quad(lambda e: float(reversible_slope(PARAMETERS, e)), lower, upper, epsabs=1e-12)
        assert everett(PARAMETERS, upper, lower) == pytest.approx(2.0 * switched + reversible, rel=1e-7)
    assert everett(PARAMETERS, math.inf, -math.inf) == pytest.approx(2.0 * 0.3)
    assert everett(PARAMETERS, 1e8, 2e8) == 0.0


class Plane:
    """Explicit hysterons on a grid of switching fields, each up or down: the definition of the model."""

    def __init__(self, step: float, reach: float) -> None:
        edges = np.arange(-reach, reach + step / 2.0, step)
        middle = 0.5 * (edges[1:] + edges[:-1])
        self.up_at, self.down_at = (array.ravel() for array in np.meshgrid(middle, middle, indexing="ij"))
        keep = self.up_at > self.down_at
        self.up_at, self.down_at = self.up_at[keep], self.down_at[keep]
        self.weight = preisach_density(PARAMETERS, self.up_at, self.down_at) * step**2
        self.state = -np.ones(self.up_at.size)
        self.field = 0.0
        self.step = step

    def move(self, field: float) -> float:
        self.state[self.up_at <= field] = 1.0
        self.state[self.down_at >= field] = -1.0
        slope = lambda e: float(reversible_slope(PARAMETERS, e))  # noqa: E731
        reversible = integrate.quad(slope, -10e8, field)[0] - 0.5 * integrate.quad(slope, -10e8, 10e8)[0]
        return float(self.weight @ self.state) + reversible


def test_stack_follows_explicit_hysterons() -> None:
    plane = Plane(0.02e8, 8e8)
    plane.move(0.0)  # where the other one starts
    random = np.random.default_rng(1)
    # Fields on the grid, so that the hysterons of a cell switch together; three of them are exact wiping-outs.
    fields = 0.02e8 * random.integers(-120, 121, 40)
    fields[[10, 20, 30]] = [3e8, fields[12], fields[22]]
    expected = [plane.move(float(field)) for field in fields]
    # The density varies over 2 w = 0.5e8: midpoint sums with a fiftieth of it are good to (1/50)^2 of 0.3 C/m^2. Cells
    # on the diagonal are triangles, of which half is missed or counted: 0.02e8 / 0.5e8 of the density there, 1e-3.
    np.testing.assert_allclose(_polarization(fields), expected, atol=5e-4)


def _scaled_branches(fields: NDArray[np.float64]) -> list[float]:
    """Equation (1.11) as it stands: branches scaled through the last two turning points, in recursive form."""
    stack = [(-math.inf, -0.3)]
    now, rising, level = 0.0, True, float(saturation_branch(PARAMETERS, 0.0, rising=True))
    out = []
    for field in fields:
        if field != now and (field > now) != rising:
            stack.append((now, level))
            rising = not rising
        while len(stack) >= 3 and (field >= stack[-2][0] if rising else field <= stack[-2][0]):
            del stack[-2:]
        (e0, p0) = stack[-1]
        (e1, p1) = stack[-2] if len(stack) > 1 else (math.inf, 0.3)
        curve = [float(saturation_branch(PARAMETERS, e, rising=rising)) for e in (e0, e1, field)]
        slope = (p1 - p0) / (curve[1] - curve[0])
        level = p0 + slope * (curve[2] - curve[0])
        now = field
        out.append(level)
    return out


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-3e8, 3e8), min_size=1, max_size=30))
def test_stack_equals_scaled_branches(fields: list[float]) -> None:
    # Turning points closer than 1e5 V/m make the scaled form divide by a difference of nearly equal numbers.
    rounded = np.round(np.array(fields) / 1e6) * 1e6
    np.testing.assert_allclose(_polarization(rounded), _scaled_branches(rounded), atol=1e-9)


def test_major_loop_is_the_saturation_branches() -> None:
    fields = np.linspace(-6e8, 6e8, 201)
    up = _polarization(np.concatenate([[-12e8], fields]))[1:]
    np.testing.assert_allclose(up, saturation_branch(PARAMETERS, fields, rising=True), atol=1e-9)
    down = _polarization(np.concatenate([[12e8], fields[::-1]]))[1:]
    np.testing.assert_allclose(down, saturation_branch(PARAMETERS, fields[::-1], rising=False), atol=1e-9)
    assert saturation_branch(PARAMETERS, 0.1e8, rising=False) == pytest.approx(0.24)
    assert saturation_branch(PARAMETERS, 1.3e8, rising=True) == pytest.approx(0.0, abs=1e-15)


def test_a_larger_field_wipes_out_smaller_loops() -> None:
    history = [2e8, -1e8, 0.5e8, -0.3e8, 0.2e8]
    assert _polarization([*history, 2.5e8])[-1] == pytest.approx(_polarization([2.5e8])[-1], rel=1e-12)
    assert _polarization([*history, -1.5e8])[-1] == pytest.approx(_polarization([2e8, -1.5e8])[-1], rel=1e-12)


def test_minor_loops_close_and_are_congruent() -> None:
    closed = _polarization([2e8, -0.8e8, 1e8, -0.8e8])
    assert closed[3] == pytest.approx(closed[1], rel=1e-12)
    # The same loop between -0.8e8 and 1e8, reached from above and from below, lies elsewhere but has the same height.
    inside = np.linspace(-0.8e8, 1e8, 7)
    from_above = _polarization(np.concatenate([[4e8], [-0.8e8], inside[1:]]))[1:]
    from_below = _polarization(np.concatenate([[-4e8], [1e8], [-0.8e8], inside[1:]]))[2:]
    assert abs(from_above[0] - from_below[0]) > 0.05
    np.testing.assert_allclose(from_above - from_above[0], from_below - from_below[0], atol=1e-15)


def test_state_can_be_carried_on_and_cells_are_independent() -> None:
    random = np.random.default_rng(2)
    fields = random.uniform(-3e8, 3e8, (3, 50))
    durations = random.uniform(1e-6, 1e-5, 50)
    slow = PreisachParameters(0.3, 0.24, 1.2e8, relaxation_time=4e-6)
    whole, _ = follow_preisach(slow, saturated_state(slow, 3), fields, durations)
    first, middle = follow_preisach(slow, saturated_state(slow, 3), fields[:, :21], durations[:21])
    second, _ = follow_preisach(slow, middle, fields[:, 21:], durations[21:])
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), whole)
    alone, _ = follow_preisach(slow, saturated_state(slow), fields[1], durations)
    np.testing.assert_array_equal(alone[0], whole[1])


def test_effective_field_lags_as_the_differential_equation_says() -> None:
    slow = PreisachParameters(0.3, 0.24, 1.2e8, relaxation_time=2e-6)
    fields, durations = np.array([2e8, -1e8, 3e8]), np.array([1e-6, 3e-6, 5e-6])
    lagged, ends, begin = [], np.cumsum(durations), 0.0
    now = 0.0
    for field, end in zip(fields, ends, strict=True):
        step = integrate.solve_ivp(lambda t, e, f=field: (f - e) / 2e-6, (begin, end), [now], rtol=1e-10, atol=1.0)
        now = float(step.y[0, -1])
        begin = end
        lagged.append(now)
    out, state = follow_preisach(slow, saturated_state(slow), fields, durations)
    assert state.effective_field[0] == pytest.approx(lagged[-1], rel=1e-7)
    np.testing.assert_allclose(out[0], _polarization(lagged, PreisachParameters(0.3, 0.24, 1.2e8)), rtol=1e-6)


def test_parameters_come_from_a_card_and_the_up_state_mirrors_the_down_state() -> None:
    def item(value: float, unit: str) -> Parameter:
        return Parameter(value=value, unit=unit, status="assumed", source="none")

    spec = HysteresisSpec(
        saturation_polarization=item(0.3, "C/m^2"),
        remanent_polarization=item(0.24, "C/m^2"),
        coercive_field=item(1.2e8, "V/m"),
        bias_field=item(0.0, "V/m"),
        relaxation_time=item(1e-9, "s"),
    )
    parameters = preisach_parameters(spec)
    assert parameters == PreisachParameters(0.3, 0.24, 1.2e8, 0.0, 1e-9)
    fields = np.array([1e8, -2e8, 1.5e8])
    np.testing.assert_allclose(
        _polarization(fields, parameters), -_polarization(-fields, parameters, up=True), rtol=1e-12
    )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(), min_size=1, max_size=8), st.floats())
def test_any_field_gives_a_bounded_polarization_or_a_typed_error(fields: list[float], duration: float) -> None:
    try:
        out, _ = follow_preisach(PARAMETERS, saturated_state(PARAMETERS), fields, np.full(len(fields), duration))
    except FerrogenError:
        return
    assert np.all(np.abs(out) <= 0.3 * (1.0 + 1e-9))


@pytest.mark.parametrize(
    "call",
    [
        lambda: PreisachParameters(0.2, 0.2, 1e8),
        lambda: PreisachParameters(0.2, 0.1, 0.0),
        lambda: PreisachParameters(0.2, 0.1, 1e8, bias_field=math.nan),
        lambda: PreisachParameters(0.2, 0.1, 1e8, relaxation_time=-1.0),
        lambda: saturated_state(PARAMETERS, 0),
        lambda: follow_preisach(PARAMETERS, saturated_state(PARAMETERS, 2), np.zeros((3, 2)), [1.0, 1.0]),
        lambda: follow_preisach(PARAMETERS, saturated_state(PARAMETERS), [1e8], [-1.0]),
        lambda: follow_preisach(PARAMETERS, saturated_state(PARAMETERS), [np.inf], [1.0]),
    ],
)
def test_what_cannot_be_used_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ArgumentError):
        call()
