"""Topologies as plain parameters, and the networks that are built of them."""

from __future__ import annotations

import numpy as np
import pytest

from ferrogen.array.topology import NOR, Crosspoint, PlainJunction, SelfRectifying, Topology, WithSelector
from ferrogen.circuit.network.build import array_network, cell_law
from ferrogen.circuit.network.cells import InSeries, Ohmic, Rectifying, Sinh
from ferrogen.circuit.network.network import drive
from ferrogen.circuit.solvers.solve import solve
from ferrogen.core.errors import ArgumentError

G = np.random.default_rng(2).uniform(0.4e-9, 20e-9, (3, 4))


def test_a_law_is_the_junctions_and_what_is_in_series() -> None:
    assert cell_law(Crosspoint(), None) == Ohmic()
    assert cell_law(Crosspoint(), 0.4) == Sinh(0.4)
    assert cell_law(Crosspoint(SelfRectifying(100.0)), 0.4) == Rectifying(0.4, 100.0)
    law = cell_law(Crosspoint(WithSelector(1e-11, 0.05)), 0.4)
    assert isinstance(law, InSeries)
    # The two parts share the voltage so that the currents are equal, whatever the share is: checked by putting it back.
    current, _ = law.current(np.array([20e-9]), np.array([1.0]))
    selector = 0.05 * np.arcsinh(current / (1e-11 * 0.05))
    junction = 0.4 * np.arcsinh(current / (20e-9 * 0.4))
    assert (selector + junction).item() == pytest.approx(1.0, rel=1e-9)
    access = cell_law(NOR(access_resistance=1e6), None)
    current, _ = access.current(np.array([1e-6]), np.array([0.1]))
    assert current.item() == pytest.approx(0.1 / 2e6)


@pytest.mark.parametrize("topology", [Crosspoint(), NOR(access_resistance=2e4), Crosspoint(WithSelector())], ids=str)
def test_wires_of_next_to_nothing_leave_the_cells_law(topology: Topology) -> None:
    network = array_network(topology, G, characteristic_voltage=0.4, row_segment=1e-3, column_segment=1e-3)
    voltages = np.array([0.1, -0.2, 0.3])
    found = -solve(network, drive(network, left=voltages)).checked().bottom_current[:, 0]
    cells, _ = cell_law(topology, 0.4).current(G, np.broadcast_to(voltages[:, None], G.shape))
    np.testing.assert_allclose(found, cells.sum(axis=0), rtol=1e-6)


def test_rows_whose_word_line_is_off_leak_only() -> None:
    topology = NOR(access_resistance=1e4, access_leakage=1e-12)
    word_lines = np.array([True, False, False])
    network = array_network(
        topology, G, characteristic_voltage=None, row_segment=1.0, column_segment=1.0, word_lines=word_lines
    )
    rows = np.full(3, 0.1)
    found = -solve(network, drive(network, left=rows)).checked().bottom_current[:, 0]
    selected = 0.1 / (1.0 / G[0] + 1e4)
    leakage = 0.1 / (1.0 / G[1:] + 1e12 + 1e4)
    np.testing.assert_allclose(found, selected + leakage.sum(axis=0), rtol=1e-6)
    assert np.all(found - selected < 3e-13)  # two rows of at most 1e-12 S at 0.1 V
    share = topology.isolated_share(G)
    np.testing.assert_allclose(share, (1.0 / G) / (1.0 / G + 1e12))  # a divider of two resistors
    assert np.all(NOR(coupled_share=0.3).isolated_share(G) == 0.3)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: NOR(access_resistance=0.0), "access_resistance"),
        (lambda: NOR(access_leakage=1e-3), "access_leakage"),
        (lambda: NOR(coupled_share=1.5), "coupled_share"),
        (lambda: SelfRectifying(0.5), "ratio"),
        (lambda: WithSelector(conductance=-1.0), "conductance"),
        (lambda: cell_law(Crosspoint(SelfRectifying()), None), "characteristic_voltage"),
        (
            lambda: array_network(
                Crosspoint(), G, characteristic_voltage=0.4, row_segment=1.0, column_segment=1.0,
                word_lines=np.ones(3, dtype=bool),
            ),
            "word_lines",
        ),
        (
            lambda: array_network(
                NOR(), G, characteristic_voltage=0.4, row_segment=1.0, column_segment=1.0,
                word_lines=np.ones(4, dtype=bool),
            ),
            "word_lines",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make: object, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()  # type: ignore[operator]


def test_names_of_lines_are_those_of_the_field() -> None:
    assert (Crosspoint.rows_are, NOR.rows_are, NOR.columns_are) == ("word lines", "source lines", "bit lines")
    assert Crosspoint().cell == PlainJunction()
