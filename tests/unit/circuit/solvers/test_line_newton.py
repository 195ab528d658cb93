"""Newton's method over the line solver: against scalar roots, against Kirchhoff's law, and in harsh cases.

Every element's current rises with its voltage, so there is exactly one operating point: voltages that satisfy
Kirchhoff's law are the solution, whichever way they were found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from ferrogen.circuit.network.cells import InSeries, Ohmic, Rectifying, Selector, SeriesResistance, Sinh
from ferrogen.circuit.network.network import Drive, Network, drive, uniform_network
from ferrogen.circuit.solvers import newton
from ferrogen.circuit.solvers.lines import solve_lines
from ferrogen.circuit.solvers.newton import solve_newton
from ferrogen.core.errors import ArgumentError

LAWS = (
    Sinh(0.05),
    Sinh(0.3),
    Rectifying(0.1, 100.0),
    InSeries(Sinh(0.1), SeriesResistance(1e4)),
    InSeries(Sinh(0.1), Selector(1e-8, 0.05)),
)


@dataclass(frozen=True)
class Staircase:
    """Two steep steps at +-0.1 V, as of a threshold selector: neither convex nor concave."""

    width: float
    linear: bool = False

    def current(self, conductance, voltage):
        up, down = np.tanh((voltage - 0.1) / self.width), np.tanh((voltage + 0.1) / self.width)
        slope = 1.0 + 0.3 / self.width * (2.0 - up**2 - down**2)
        return conductance * (voltage + 0.3 * (up + down)), conductance * slope


def off_by(network, solution):
    """The largest violation of Kirchhoff's law at a node over the largest current of a cell or an end, by vector."""
    u, v = solution.row_voltage, solution.column_voltage
    cell, _ = network.law.current(network.conductance[:, :, None], u - v)
    row, column = -cell, cell.copy()
    along = np.diff(u, axis=1) / network.row_segments[:, :, None]
    row[:, :-1] += along
    row[:, 1:] -= along
    along = np.diff(v, axis=0) / network.column_segments[:, :, None]
    column[:-1] += along
    column[1:] -= along
    row[:, 0] += solution.left_current
    row[:, -1] += solution.right_current
    column[0] += solution.top_current
    column[-1] += solution.bottom_current
    off = np.maximum(np.abs(row).max(axis=(0, 1)), np.abs(column).max(axis=(0, 1)))
    ends = (solution.left_current, solution.right_current, solution.top_current, solution.bottom_current)
    scale = np.max([np.abs(cell).max(axis=(0, 1)), *(np.abs(side).max(axis=0) for side in ends)], axis=0)
    return off, scale


def harsh(rng, size, segment, law):
    cells = 10.0 ** rng.uniform(-5.0, -4.0, (size, size))
    return uniform_network(cells, row_segment=segment, column_segment=segment, law=law)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("volts", [-1.0, 0.01, 0.2, 1.0])
def test_one_cell_between_two_resistors_is_a_scalar_root(law, volts):
    network = uniform_network(
        [[3e-4]], row_segment=1.0, column_segment=1.0, row_left=700.0, column_bottom=300.0, law=law
    )

    def off(across):
        current, _ = law.current(np.array([3e-4]), np.array([across]))
        return volts - across - 1000.0 * float(current[0])

    across = brentq(off, min(0.0, volts), max(0.0, volts), xtol=1e-16, rtol=1e-14)
    solution = solve_newton(network, drive(network, left=volts)).checked()
    assert -solution.bottom_current[0, 0] == pytest.approx((volts - across) / 1000.0, rel=1e-8)
    assert (solution.row_voltage - solution.column_voltage)[0, 0, 0] == pytest.approx(across, rel=1e-9)


def test_a_weak_current_into_a_strong_source_keeps_its_digits():
    # A column broken in the middle, its halves at 0.3 V and -0.8 V: each carries one cell's nA into a source of 0.1 or
    # 0.01 mOhm, a drop of 1e-13 V. Voltages of the whole column in double precision would leave three digits.
    law, cell = Sinh(0.1), 1e-9
    network = Network(
        np.full((2, 1), cell), np.empty((2, 0)), np.array([[np.inf]]), np.ones(2), np.full(2, np.inf),
        np.array([1e-4]), np.array([1e-5]), law,
    )  # fmt: skip
    solution = solve_newton(network, drive(network, left=0.1, top=0.3, bottom=-0.8), tolerance=1e-12).checked()
    # The drop along 1 Ohm, 1e-9 V or less, is 1e-6 of the current: the cell's voltage with it, to first order.
    for volts, into in ((0.1 - 0.3, solution.top_current), (0.1 + 0.8, solution.bottom_current)):
        current, slope = law.current(np.array([cell]), np.array([volts]))
        assert into[0, 0] == pytest.approx(-float(current[0] / (1.0 + slope[0])), rel=1e-9)


shares = st.sampled_from([0.0, 0.3, 1.0])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 12),
    columns=st.integers(1, 12),
    law=st.sampled_from(LAWS),
    opened=st.sampled_from([0.0, 0.1]),
    floating=st.tuples(shares, shares, shares, shares),
)
def test_kirchhoff_holds_at_every_node(seed, rows, columns, law, opened, floating):
    rng = np.random.default_rng(seed)

    def resistances(shape, share):
        return np.where(rng.random(shape) < share, np.inf, 10.0 ** rng.uniform(0.0, 2.0, shape))

    cells = np.where(rng.random((rows, columns)) < 0.1, 0.0, 10.0 ** rng.uniform(-6.0, -4.0, (rows, columns)))
    lines = (rows, rows, columns, columns)
    network = Network(
        cells, resistances((rows, columns - 1), opened), resistances((rows - 1, columns), opened),
        *(resistances(many, share) for many, share in zip(lines, floating, strict=True)), law=law,
    )  # fmt: skip
    left, right, top, bottom = (rng.uniform(-1.0, 1.0, (many, 2)) for many in lines)
    solution = solve_newton(network, drive(network, left=left, right=right, top=top, bottom=bottom))
    off, scale = off_by(network, solution)
    if np.any(scale < 1e-20):  # nothing flows for one of the vectors: a ratio to rounding means nothing
        assert np.all(np.isfinite(solution.row_voltage))
        assert np.all(off < 1e-12)
        return
    assert solution.outcome.converged
    assert solution.outcome.residual <= 1e-10
    # Rounding of 1 V across 1 Ohm is 1e-16 A; that of a cell's voltage, times its slope of up to I / 0.05 V, 1e-14 I.
    assert np.all(off <= 1.1e-10 * scale + 4e-16)


@pytest.mark.parametrize("segment", [1.0, 10.0])
@pytest.mark.parametrize("times", [1.0, 5.0, 20.0])
def test_steep_cells_on_poor_wires(segment, times):
    # 10 to 100 uS at 0 V and up to 20 V0: the cells would carry e^20 / 40 times the small-signal current without wires.
    rng = np.random.default_rng(11)
    network = harsh(rng, 64, segment, Sinh(0.05))
    solution = solve_newton(network, drive(network, left=0.05 * times * rng.uniform(0.0, 1.0, (64, 1)))).checked()
    assert solution.outcome.iterations <= 15
    off, scale = off_by(network, solution)
    assert np.all(off <= 1.1e-10 * scale)
    assert -solution.bottom_current.sum() == pytest.approx(solution.left_current.sum(), rel=1e-9)


def test_ohmic_cells_give_what_the_linear_solver_gives():
    rng = np.random.default_rng(5)
    network = harsh(rng, 24, 10.0, Ohmic())
    sources = drive(network, left=rng.uniform(0.0, 0.2, (24, 3)))
    linear, general = solve_lines(network, sources), solve_newton(network, sources)
    assert general.outcome.converged
    assert np.abs(linear.bottom_current / general.bottom_current - 1.0).max() < 1e-9


def test_small_voltages_see_the_small_signal_conductance():
    rng = np.random.default_rng(6)
    curved = harsh(rng, 16, 1.0, Sinh(0.1))
    sources = drive(curved, left=1e-6 * rng.uniform(0.5, 1.0, (16, 1)))
    linear = solve_lines(replace(curved, law=Ohmic()), sources)
    # (V / V0)^2 / 6 is 2e-11.
    assert np.abs(solve_newton(curved, sources).bottom_current / linear.bottom_current - 1.0).max() < 1e-9


def test_vectors_do_not_depend_on_their_batch():
    rng = np.random.default_rng(8)
    network = harsh(rng, 12, 10.0, Sinh(0.05))
    sources = drive(network, left=rng.uniform(0.0, 1.0, (12, 3)))
    whole = solve_newton(network, sources)
    for which in range(3):
        part = slice(which, which + 1)
        sides = (sources.left, sources.right, sources.top, sources.bottom)
        alone = solve_newton(network, Drive(*(side[:, part] for side in sides)), nodes=False)
        assert alone.row_voltage is None
        assert np.array_equal(alone.bottom_current, whole.bottom_current[:, part])


def test_steps_are_damped_where_tangents_mislead(monkeypatch):
    searched = []
    search = newton._search
    monkeypatch.setattr(newton, "_search", lambda *arguments: searched.append(1) or search(*arguments))
    rng = np.random.default_rng(0)
    network = uniform_network(
        rng.uniform(0.01, 0.1, (20, 20)), row_segment=1.0, column_segment=1.0, law=Staircase(0.001)
    )
    solution = solve_newton(network, drive(network, left=rng.uniform(0.0, 1.0, (20, 1)))).checked()
    off, scale = off_by(network, solution)
    assert np.all(off <= 2e-10 * scale)
    assert searched


def test_too_few_steps_are_an_outcome():
    rng = np.random.default_rng(9)
    network = harsh(rng, 16, 10.0, Sinh(0.05))
    solution = solve_newton(network, drive(network, left=1.0), max_iterations=1)
    assert not solution.outcome.converged
    assert solution.outcome.iterations == 1
    assert solution.outcome.residual > 1e-10
    assert "max_iterations" in solution.outcome.remedy
    assert np.all(np.isfinite(solution.row_voltage))
    assert np.all(np.isfinite(solution.bottom_current))


def test_what_it_cannot_take_is_refused():
    network = uniform_network(np.full((3, 2), 1e-5), row_segment=1.0, column_segment=1.0, law=Sinh(0.1))
    with pytest.raises(ArgumentError, match="tolerance"):
        solve_newton(network, drive(network, left=0.1), tolerance=-1.0)
