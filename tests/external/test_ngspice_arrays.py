"""Arrays by our solvers and by ngspice, node by node: sizes, topologies, laws, ends, shorts, extreme resistances."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferrogen.circuit.network.cells import CellLaw, InSeries, Ohmic, Rectifying, Selector, SeriesResistance, Sinh
from ferrogen.circuit.network.network import Bridge, Network, drive, uniform_network
from ferrogen.circuit.solvers.solve import solve
from ferrogen.circuit.spice.array_circuit import array_circuit, input_voltages, state_network
from ferrogen.circuit.spice.compare import compare
from ferrogen.circuit.spice.compare_solvers import SOLVER_TOLERANCE, verify_network
from ferrogen.circuit.spice.run import SimulatorConvergenceError, SimulatorTimeoutError, run_ngspice
from ferrogen.circuit.spice.state import drawn_state
from ferrogen.circuit.spice.static import static_netlist
from ferrogen.device.card import load_card

pytestmark = pytest.mark.skipif(
    shutil.which("ngspice") is None, reason="ngspice is not installed (apt install ngspice)"
)

# The issue asks for 1e-6 of ngspice. What is reached is far better, and a test that allows 1e-6 would not see a wrong
# digit: with `resistors` rounding of 1 V across 1 Ohm is 1e-15 A of currents of 1e-8 A here; with `branches` it is
# 1e-15 of the currents, magnified by the condition of the array.
AUTO = 1e-6
BRANCHES = 1e-9

LAWS: dict[str, CellLaw] = {
    "ohmic": Ohmic(),
    "sinh": Sinh(0.25),
    "steep sinh": Sinh(0.05),
    "rectifying": Rectifying(0.2, 100.0),
    "transistor": InSeries(Sinh(0.25), SeriesResistance(1e4)),
    "selector": InSeries(Rectifying(0.25, 20.0), Selector(1e-10, 0.06)),
}


def array(
    rows: int, columns: int, law: CellLaw, seed: int, *, low: float = 1e-9, high: float = 1e-7, **ends: Any
) -> Network:
    g = np.exp(np.random.default_rng(seed).uniform(np.log(low), np.log(high), (rows, columns)))
    return uniform_network(g, **{"row_segment": 1.0, "column_segment": 2.5, "law": law, **ends})


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
@pytest.mark.parametrize("shape", [(2, 3), (1, 1), (1, 7), (9, 1), (16, 12)], ids=str)
def test_all_laws_and_shapes(law: CellLaw, shape: tuple[int, int]) -> None:
    net = array(*shape, law, seed=7)
    given = drive(net, left=np.random.default_rng(8).uniform(-0.8, 0.8, (shape[0], 2)))
    for wires, limit in (("auto", AUTO), ("branches", BRANCHES)):
        found = verify_network(net, given, wires=wires, tolerance=limit)  # type: ignore[arg-type]
        assert found.agree, found.with_simulator.record()
        assert found.with_direct is not None
        assert found.with_direct.largest < SOLVER_TOLERANCE


@pytest.mark.parametrize("topology", ["crosspoint", "nor"])
@pytest.mark.parametrize("law", ["ohmic", "sinh"])
def test_arrays_of_a_card_at_the_sample_voltage(topology: Any, law: Any) -> None:
    card = load_card("hzo-mfis-nor")
    state = drawn_state(card, 24, 20, seed=3)
    circuit = array_circuit(card, topology=topology, law=law)
    net = state_network(state, circuit, seed=3)
    leaking = net.conductance.max(axis=1) < 1.1e-12  # rows whose word line is off
    assert leaking.sum() == (6 if topology == "nor" else 0)
    given = drive(net, left=input_voltages(24, 2, card.default_sample_voltage, seed=3))
    found = verify_network(net, given)
    assert found.agree, found.with_simulator.record()
    # A wrong conductance, in the last cell, by a thousandth: the comparison must see it.
    wrong = net.conductance.copy()
    wrong[np.flatnonzero(~leaking)[-1], -1] *= 1.001
    off = compare(solve(replace(net, conductance=wrong), given), found.simulated, names=("wrong", "ngspice"))
    assert off.largest > 1e-6


def test_thirty_two_by_thirty_two() -> None:
    card = load_card("hzo-mfis-nor")
    net = state_network(drawn_state(card, 32, 32, seed=5), array_circuit(card, node="22nm"))
    found = verify_network(net, drive(net, left=input_voltages(32, 2, 1.2, seed=5)), wires="resistors")
    assert found.agree, found.with_simulator.record()


@pytest.mark.slow
def test_sixty_four_by_sixty_four() -> None:
    net = array(64, 64, Sinh(0.25), seed=11)
    given = drive(net, left=np.random.default_rng(12).uniform(0.0, 0.8, 64))
    found = verify_network(net, given, wires="resistors")
    assert found.agree, found.with_simulator.record()


@pytest.mark.parametrize("law", ["ohmic", "sinh", "transistor"])
@pytest.mark.parametrize(
    ("segment", "low", "high"),
    [
        (1e-9, 1e-9, 1e-7), (1e-3, 1e-12, 1e-10), (1e4, 1e-6, 1e-4), (1e9, 1e-9, 1e-7), (1e12, 1e-15, 1e-5),
        (1.0, 1e-14, 1e-3),
    ],
)  # fmt: skip
def test_extreme_resistances(law: str, segment: float, low: float, high: float) -> None:
    net = array(8, 7, LAWS[law], seed=2, low=low, high=high, row_segment=segment, column_segment=segment / 3.0)
    found = verify_network(net, drive(net, left=np.random.default_rng(3).uniform(0.0, 0.7, (8, 2))))
    assert found.direct.outcome.converged
    assert found.with_simulator.largest < AUTO, (found.netlist.elements.wires, found.with_simulator.record())
    assert found.lines is not None
    assert found.with_direct is not None
    # The iterative solver agrees, or says that it did not get there and what to do.
    assert found.with_direct.largest < SOLVER_TOLERANCE or "direct" in found.lines.outcome.remedy
    assert found.lines.outcome.converged or not found.agree


def test_wires_of_very_different_resistance() -> None:
    net = array(6, 6, Sinh(0.2), seed=4)
    rng = np.random.default_rng(5)
    net = replace(
        net,
        row_segments=10.0 ** rng.uniform(-6, 6, net.row_segments.shape),
        column_segments=10.0 ** rng.uniform(-6, 6, net.column_segments.shape),
        row_left=10.0 ** rng.uniform(-6, 6, 6),
    )
    found = verify_network(net, drive(net, left=rng.uniform(-0.5, 0.5, (6, 2))))
    assert found.netlist.elements.wires == "branches"
    assert found.agree, found.with_simulator.record()


def test_plain_resistors_lose_the_current_of_a_short_wire_and_branches_do_not() -> None:
    net = array(4, 4, Ohmic(), seed=1, row_segment=1e-9, column_segment=1e-9)
    given = drive(net, left=0.3)
    plain = verify_network(net, given, wires="resistors")
    assert not plain.agree
    assert plain.with_simulator.currents.largest > 1e-3
    assert verify_network(net, given, wires="branches", tolerance=1e-12).agree
    assert verify_network(net, given).netlist.elements.wires == "branches"  # by itself


@pytest.mark.parametrize("law", ["ohmic", "sinh"])
def test_any_side_drives_and_lines_break_float_and_touch(law: str) -> None:
    rng = np.random.default_rng(9)
    net = array(7, 6, LAWS[law], seed=9, row_right=3e6, column_top=4e6)
    net.row_segments[2, 3] = np.inf
    net.column_segments[4, 1] = np.inf
    net.row_left[5] = net.row_right[5] = np.inf  # a floating row
    net.column_bottom[0] = np.inf
    net.conductance[3] = 0.0
    given = drive(
        net, left=rng.uniform(-0.5, 0.5, (7, 2)), right=rng.uniform(-0.5, 0.5, (7, 2)),
        top=rng.uniform(-0.2, 0.2, (6, 2)), bottom=rng.uniform(-0.2, 0.2, (6, 2)),
    )  # fmt: skip
    found = verify_network(net, given)
    assert found.agree, (found.with_simulator.record(), found.with_direct)
    assert found.simulated.left_current[5].tolist() == [0.0, 0.0]
    # Amperes along the lines, nanoamperes through the cells.
    strong = replace(net, row_right=np.where(np.isfinite(net.row_right), 3.0, np.inf), column_top=np.full(6, 4.0))
    assert verify_network(strong, given).with_simulator.largest < BRANCHES
    shorted = replace(
        net, bridges=(Bridge(("row", 0, 2), ("column", 6, 5), 12.0), Bridge(("row", 1, 1), ("row", 2, 1), 1e3))
    )
    found = verify_network(shorted, given)
    assert found.lines is None  # the line solver has no bridges; the direct one has
    assert found.agree, found.with_simulator.record()


def test_isolated_nodes_are_left_out_and_the_rest_agrees() -> None:
    net = array(5, 5, Sinh(0.2), seed=6)
    net.conductance[:, 3] = 0.0
    net.column_bottom[3] = np.inf
    found = verify_network(net, drive(net, left=0.4), isolated="ground")
    assert found.agree
    assert np.all(found.simulated.column_voltage[:, 3] == 0.0)
    assert np.count_nonzero(~found.netlist.elements.connected) == 5


def test_a_singular_array_is_an_outcome_not_a_solution() -> None:
    """What the exporter would refuse, handed to ngspice all the same: its log decides, not its exit code of 0."""
    net = array(2, 2, Ohmic(), seed=1)
    text = static_netlist(net, drive(net, left=0.1)).deck.text().replace(".options", "R_lost x y 1.0\n.options")
    with pytest.raises(SimulatorConvergenceError, match=r"singular matrix: check node [xy]") as caught:
        run_ngspice(text)
    assert caught.value.log is not None
    assert "singular" in caught.value.log.read_text()


def test_a_slow_simulation_is_stopped(tmp_path: Path) -> None:
    net = array(48, 48, Ohmic(), seed=1)
    with pytest.raises(SimulatorTimeoutError):
        static_netlist(net, drive(net, left=0.1)).simulate(time_limit=0.02, keep_log=tmp_path / "log")
    assert (tmp_path / "log").is_file()
