"""The netlist of an array: every element once, nothing that is open, nothing that the simulator cannot hold."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.circuit.network.cells import InSeries, Rectifying, Selector, SeriesResistance, Sinh
from ferrogen.circuit.network.network import Bridge, Network, drive, uniform_network
from ferrogen.circuit.spice.static import array_subcircuit, static_netlist
from ferrogen.core.errors import ArgumentError


def network(rows: int = 3, columns: int = 4, **changes: object) -> Network:
    g = np.random.default_rng(1).uniform(1e-9, 1e-8, (rows, columns))
    return replace(uniform_network(g, row_segment=2.0, column_segment=5.0), **changes)


def elements(text: str) -> dict[str, list[str]]:
    """Names of elements to the rest of their lines; continued lines joined."""
    lines = text.replace("\n+", " ").splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        if re.match(r"[RHVBX]_", line):
            name, *rest = line.split()
            assert name not in found
            found[name] = rest
    return found


def test_every_element_stands_once_with_its_value() -> None:
    net = network()
    found = elements(static_netlist(net, drive(net, left=[0.1, 0.2, 0.3])).deck.text())
    assert float(found["R_row_1_2"][2]) == 2.0
    assert found["R_row_1_2"][:2] == ["r_1_2", "r_1_3"]
    assert found["R_column_1_3"] == ["c_1_3", "c_2_3", "5.0"]
    assert found["R_cell_2_1"][:2] == ["r_2_1", "c_2_1"]
    assert float(found["R_cell_2_1"][2]) == 1.0 / net.conductance[2, 1]
    assert found["V_left_1"] == ["left_1", "0", "dc", "0.2"]
    assert found["R_left_1"] == ["left_1", "r_1_0", "2.0"]
    assert found["R_bottom_3"] == ["bottom_3", "c_2_3", "5.0"]
    assert len(found) == 3 * 3 + 2 * 4 + 12 + 2 * (3 + 4)


def test_what_is_open_or_conducts_nothing_is_left_out() -> None:
    net = network()
    net.row_segments[0, 1] = np.inf
    net.conductance[1, 1] = 0.0
    found = elements(static_netlist(net, drive(net)).deck.text())
    assert "R_row_0_1" not in found
    assert "R_cell_1_1" not in found
    assert "V_right_0" not in found
    assert len(found) == 3 * 3 + 2 * 4 + 12 + 2 * (3 + 4) - 2
    assert "inf" not in " ".join(" ".join(rest) for rest in found.values())


def test_nodes_without_a_source_are_refused_or_left_out() -> None:
    net = network()
    net.conductance[:, 2] = 0.0
    net.column_bottom[2] = np.inf
    with pytest.raises(ArgumentError, match="3 nodes without"):
        static_netlist(net, drive(net))
    netlist = static_netlist(net, drive(net), isolated="ground")
    assert not netlist.elements.connected[1, :, 2].any()
    assert netlist.elements.connected.sum() == 24 - 3
    text = netlist.deck.text()
    assert "c_0_2" not in text
    assert "3 nodes have no path to a source" in text


def test_shorts_and_input_vectors() -> None:
    net = network(bridges=(Bridge(("row", 0, 0), ("column", 2, 3), 7.0),))
    netlist = static_netlist(net, drive(net, left=[[0.1, 0.1, 0.4], [0.2, 0.0, 0.0], [0.3, 0.3, 0.3]]))
    assert elements(netlist.deck.text())["R_bridge_0"] == ["r_0_0", "c_2_3", "7.0"]
    assert [line for line in netlist.deck.control if line.startswith(("alter", "op"))] == [
        "op", "alter v_left_1 dc = 0.0", "op", "alter v_left_0 dc = 0.4", "op",
    ]  # fmt: skip


@given(st.floats(1e-12, 1e12), st.floats(1e-12, 1e-3))
def test_branches_are_scaled_exactly(resistance: float, conductance: float) -> None:
    net = uniform_network(np.full((2, 2), conductance), row_segment=resistance, column_segment=resistance / 3.0)
    netlist = static_netlist(net, drive(net), wires="branches")
    scale = netlist.elements.scale
    assert math.log2(scale).is_integer()
    assert scale >= 1.0
    found = elements(netlist.deck.text())
    assert found["H_row_0_0"][:3] == ["r_0_0", "r_0_1", "H_row_0_0"]  # controlled by its own current
    assert float(found["H_row_0_0"][3]) * scale == resistance
    assert float(found["H_row_0_0"][3]) <= 1.0 / 64.0
    assert float(found["R_cell_0_1"][2]) == 1.0 / (conductance * scale)


def test_cells_are_instances_of_their_law() -> None:
    laws = (
        Sinh(0.25), Rectifying(0.2, 30.0), InSeries(Sinh(0.3), SeriesResistance(1e4)),
        InSeries(Sinh(0.3), Selector(1e-12, 0.05)),
    )  # fmt: skip
    for law in laws:
        net = network(law=law)
        text = static_netlist(net, drive(net)).deck.text()
        model = re.search(r"^\.subckt (\S+) p n params: (.*)$", text.replace("\n+", ""), re.MULTILINE)
        assert model is not None
        assert elements(text)["X_cell_0_3"] == ["r_0_3", "c_0_3", model.group(1), f"g={float(net.conductance[0, 3])!r}"]
    assert "access=10000.0" in static_netlist(network(law=laws[2]), drive(net)).deck.text()
    # The element in series is scaled with everything else.
    scaled = static_netlist(network(law=laws[2]), drive(net), wires="branches")
    assert f"access={10000.0 / scaled.elements.scale!r}" in scaled.deck.text().replace("\n+", "")


@dataclass(frozen=True)
class Cubic:
    """A law of the user's own."""

    linear: bool = False

    def current(self, conductance: np.ndarray, voltage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return conductance * (voltage + voltage**3), conductance * (1.0 + 3.0 * voltage**2)


def test_what_cannot_be_written_is_refused() -> None:
    net = network()
    with pytest.raises(ArgumentError, match="Cubic"):
        static_netlist(network(law=Cubic()), drive(net))
    with pytest.raises(ArgumentError, match="Cubic"):
        static_netlist(network(law=InSeries(Cubic(), SeriesResistance(1.0))), drive(net))
    with pytest.raises(ArgumentError, match="wires"):
        static_netlist(net, drive(net), wires="ropes")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="drive"):
        static_netlist(net, drive(network(4, 4)))
    with pytest.raises(ArgumentError, match="name"):
        array_subcircuit(net, name="my array")
    with pytest.raises(ArgumentError, match="row_segments"):
        network(row_segments=np.full((3, 3), -2.0))


def test_a_header_cannot_become_an_element() -> None:
    net = network()
    text = static_netlist(net, drive(net), title="a\nV_evil x 0 1", header="b\n.control\nshell x\n.endc").deck.text()
    assert "V_evil" not in elements(text)
    assert text.count("\n.control") == 1


def test_the_array_as_a_subcircuit() -> None:
    net = network(law=Sinh(0.2))
    text = array_subcircuit(net, name="My_Array", header="mine")
    joined = text.replace("\n+", "")
    assert ".subckt my_array left_0 left_1 left_2 bottom_0 bottom_1 bottom_2 bottom_3\n" in joined
    assert text.rstrip().endswith(".ends my_array")
    assert joined.index(".ends ferrogen_cell") < joined.index(".subckt my_array")
    found = elements(text)
    assert not any(name.startswith("V_") for name in found)
    assert len(found) == 1 + 3 * 3 + 2 * 4 + 12 + 3 + 4  # with the cell's own source
