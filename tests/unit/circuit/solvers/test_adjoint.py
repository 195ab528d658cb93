"""Gradients by one adjoint solve against finite differences of the operating points themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ferrogen.circuit.network.cells import InSeries, Ohmic, Rectifying, Selector, SeriesResistance, Sinh
from ferrogen.circuit.network.network import Bridge, Drive, Network, drive
from ferrogen.circuit.solvers.adjoint import gradient
from ferrogen.circuit.solvers.solve import solve
from ferrogen.core.errors import ArgumentError

SIDES = ("left", "right", "top", "bottom")
LAWS = [
    Ohmic(),
    Sinh(0.15),
    Rectifying(0.2, 100.0),
    InSeries(Ohmic(), SeriesResistance(2e3)),
    InSeries(Sinh(0.2), SeriesResistance(2e3)),
    InSeries(Rectifying(0.3, 20.0), Selector(1e-4, 0.2)),
]


def problem(law, bridges=()) -> tuple[Network, Drive, dict[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    rows, columns, batch = 4, 3, 2

    def resistances(*shape: int) -> np.ndarray:
        return 10.0 ** rng.uniform(1, 3, shape)

    conductance = 10.0 ** rng.uniform(-4, -3, (rows, columns))
    conductance[1, 1] = 0.0
    network = Network(
        conductance=conductance,
        row_segments=resistances(rows, columns - 1),
        column_segments=resistances(rows - 1, columns),
        row_left=resistances(rows),
        row_right=np.array([np.inf, 50.0, np.inf, 80.0]),
        column_top=np.array([np.inf, 50.0, np.inf]),
        column_bottom=resistances(columns),
        law=law,
        bridges=bridges,
    )
    sides = {"left": rows, "right": rows, "top": columns, "bottom": columns}
    sources = drive(network, **{side: rng.uniform(-1, 1, (lines, batch)) for side, lines in sides.items()})
    return network, sources, {side: rng.normal(size=(lines, batch)) for side, lines in sides.items()}


def scalar(network: Network, sources: Drive, weights: dict[str, np.ndarray]) -> float:
    """A nonlinear function of all end currents [mA]: sum of w sin(I) over ends and input vectors."""
    found = solve(network, sources, method="direct", tolerance=1e-13).checked()
    return sum(float((w * np.sin(1e3 * getattr(found, f"{side}_current"))).sum()) for side, w in weights.items())


@pytest.mark.parametrize("method", ["auto", "direct"])
@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_gradients_are_those_of_finite_differences(law, method):
    network, sources, weights = problem(law)
    found = solve(network, sources, method="direct", tolerance=1e-13).checked()
    slopes = {side: 1e3 * w * np.cos(1e3 * getattr(found, f"{side}_current")) for side, w in weights.items()}
    ours = gradient(network, found, **slopes, method=method, tolerance=1e-12)
    for side in SIDES:
        for place in [(0, 0), (1, 1), (2, 0)]:
            values = []
            for step in (1e-5, -1e-5):
                moved = {name: getattr(sources, name).copy() for name in SIDES}
                moved[side][place] += step
                values.append(scalar(network, Drive(**moved), weights))
            expected = (values[0] - values[1]) / 2e-5
            assert getattr(ours, side)[place] == pytest.approx(expected, rel=1e-6, abs=1e-8), (side, place)
    for place in [(0, 0), (1, 1), (3, 2)]:
        step = 1e-5 * (network.conductance[place] or 1e-4)
        moved = [network.conductance.copy() for _ in range(3)]
        for k, conductance in enumerate(moved):
            conductance[place] += k * step
        values = [scalar(replace(network, conductance=conductance), sources, weights) for conductance in moved]
        expected = (-3 * values[0] + 4 * values[1] - values[2]) / (2 * step)  # one-sided: 0 S is at the edge
        assert ours.conductance[place] == pytest.approx(expected, rel=1e-4), place


def test_bridges_take_part():
    network, sources, weights = problem(Ohmic(), (Bridge(("row", 0, 1), ("column", 2, 2), 70.0),))
    found = solve(network, sources, method="direct").checked()
    slopes = {side: 1e3 * w * np.cos(1e3 * getattr(found, f"{side}_current")) for side, w in weights.items()}
    ours = gradient(network, found, **slopes)
    more = Drive(sources.left + np.array([[1e-5], [0], [0], [0]]), sources.right, sources.top, sources.bottom)
    less = replace(more, left=sources.left - np.array([[1e-5], [0], [0], [0]]))
    expected = (scalar(network, more, weights) - scalar(network, less, weights)) / 2e-5
    assert ours.left[0].sum() == pytest.approx(expected, rel=1e-6)


def test_what_is_missing_is_told():
    network, sources, _ = problem(Sinh(0.2))
    with pytest.raises(ArgumentError, match="nodes=True"):
        gradient(network, solve(network, sources, nodes=False))
    with pytest.raises(ArgumentError, match=r"`left`.*\(4, 2\)"):
        gradient(network, solve(network, sources), left=np.ones(4))
