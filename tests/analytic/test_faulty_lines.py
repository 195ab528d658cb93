"""What broken and shorted lines do, against the exact network: equal in the limit of small resistances.

Ends have 1 Ohm, wires and shorts 1e-6 Ohm, cells 1e-7 to 1e-6 S on 6 x 8 arrays: voltages along lines and at virtual
grounds are off by less than 1 Ohm x 14 cells x 1e-6 S = 1.4e-5, and shares of currents by less than
14 x 1e-6 Ohm / 1 Ohm a line of a shorted group: 1e-4 is asked for, of the largest cell.
"""

import numpy as np
import pytest

from ferrogen.array.faults import FaultMap, FaultRates, draw_faults
from ferrogen.array.faults_lines import line_shares
from ferrogen.circuit.network.network import Bridge, Network, drive
from ferrogen.circuit.solvers.solve import solve
from ferrogen.core.streams import Purpose, Streams

_WIRE, _END = 1e-6, 1.0
_ROWS, _COLUMNS = 6, 8


def _network(conductance: np.ndarray, faults: FaultMap) -> Network:
    rows, columns = conductance.shape
    row_segments, column_segments = np.full((rows, columns - 1), _WIRE), np.full((rows - 1, columns), _WIRE)
    left, bottom = np.full(rows, _END), np.full(columns, _END)
    for i, k in faults.open_rows:
        if k == 0:
            left[i] = np.inf
        else:
            row_segments[i, k - 1] = np.inf
    for i, k in faults.open_columns:
        if i == rows - 1:
            bottom[k] = np.inf
        else:
            column_segments[i, k] = np.inf
    bridges = [Bridge(("row", i, k), ("row", i + 1, k), _WIRE) for i, k in faults.shorted_rows]
    bridges += [Bridge(("column", i, k), ("column", i, k + 1), _WIRE) for i, k in faults.shorted_columns]
    return Network(
        conductance=conductance + faults.short_conductance * faults.mask("shorted_cells"),
        row_segments=row_segments,
        column_segments=column_segments,
        row_left=left,
        row_right=np.full(rows, np.inf),
        column_top=np.full(columns, np.inf),
        column_bottom=bottom,
        bridges=tuple(bridges),
    )


def _exact(conductance: np.ndarray, faults: FaultMap) -> np.ndarray:
    network = _network(conductance, faults)
    found = solve(network, drive(network, left=np.eye(len(conductance))), method="direct", isolated="ground").checked()
    currents = -found.bottom_current.T
    currents[:, list(faults.dead_columns)] = 0.0
    return currents


def _conductance(seed: int) -> np.ndarray:
    generator = Streams(seed).generator(Purpose.TEST_PATTERN)
    return 1e-7 * 10.0 ** generator.random((_ROWS, _COLUMNS))


def _ours(conductance: np.ndarray, faults: FaultMap) -> np.ndarray:
    return line_shares(faults).effective(conductance + faults.short_conductance * faults.mask("shorted_cells"))


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"open_rows": ((2, 3),)},
        {"open_rows": ((2, 0), (4, 7), (2, 5))},
        {"open_columns": ((2, 3),)},
        {"open_columns": ((5, 1), (0, 2))},
        {"shorted_rows": ((1, 4),)},
        {"shorted_rows": ((1, 4), (2, 0))},
        {"shorted_columns": ((3, 2),)},
        {"shorted_columns": ((3, 2), (0, 3))},
        {"dead_columns": (1, 6)},
        {"shorted_cells": ((2, 2), (5, 0)), "short_conductance": 1e-5},
        # the neighbour drives what lies beyond the break; a floating bit line leaks through a floating word line
        {"open_rows": ((1, 3),), "shorted_rows": ((1, 5),)},
        {"open_rows": ((1, 3),), "open_columns": ((2, 5),)},
        {"open_columns": ((3, 2),), "shorted_columns": ((1, 2),), "dead_columns": (3,)},
    ],
    ids=str,
)
def test_each_fault_is_that_of_the_exact_network(what: dict) -> None:
    conductance, faults = _conductance(3), FaultMap(_ROWS, _COLUMNS, **what)
    exact = _exact(conductance, faults)
    tolerance = 1e-4 * max(conductance.max(), exact.max())
    np.testing.assert_allclose(_ours(conductance, faults), exact, rtol=0.0, atol=tolerance)
    if what:
        assert np.max(np.abs(exact - _exact(conductance, FaultMap(_ROWS, _COLUMNS)))) > 100.0 * tolerance


@pytest.mark.parametrize("seed", range(25))
def test_many_faults_at_once(seed: int) -> None:
    rates = FaultRates(
        shorted_cell=0.03, open_row=0.4, open_column=0.4, shorted_rows=0.3, shorted_columns=0.3, dead_column=0.1,
        short_conductance=1e-6,
    )  # fmt: skip
    faults = draw_faults(rates, _ROWS, _COLUMNS, Streams(seed).generator(Purpose.FAULTS))
    conductance = _conductance(seed)
    np.testing.assert_allclose(_ours(conductance, faults), _exact(conductance, faults), rtol=0.0, atol=1e-4 * 1e-6)


def test_the_variance_of_pairs_is_that_of_draws() -> None:
    """Noise of the cells drawn 20000 times: variances agree within 5 standard errors, sqrt(2 / 20000) each."""
    faults = FaultMap(4, 4, open_rows=((0, 2),), open_columns=((1, 3),), shorted_columns=((2, 0),), dead_columns=(2,))
    generator = Streams(5).generator(Purpose.TEST_PATTERN)
    deviation = 0.5 + generator.random((4, 4))
    shares = line_shares(faults)
    draws = np.stack([shares.effective(deviation * generator.standard_normal((4, 4))) for _ in range(20_000)])
    variance = shares.variance(deviation**2)
    pairs = (draws[:, :, 0::2] - draws[:, :, 1::2]).var(axis=0)
    expected = variance[:, 0::2] + variance[:, 1::2]
    assert np.all(np.abs(pairs - expected) <= 5.0 * np.sqrt(2.0 / 20_000) * expected)
    # the left pair's lines are joined: their difference is nothing
    assert not expected[:, 0].any()
    assert expected[1:, 1].any()
