"""Subcircuits in ngspice: cells' laws and a card's junction against our models; exports in somebody's own deck."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ferrogen.circuit.network.cells import CellLaw, InSeries, Ohmic, Rectifying, Selector, SeriesResistance, Sinh
from ferrogen.circuit.network.network import drive, uniform_network
from ferrogen.circuit.solvers.solve import solve
from ferrogen.circuit.spice.devices import cell_model, junction_constants, junction_subcircuit
from ferrogen.circuit.spice.netlist import Deck, number, write_results
from ferrogen.circuit.spice.rawfile import parse_rawfile
from ferrogen.circuit.spice.run import RESULTS, SimulatorFailedError, find_ngspice, run_ngspice
from ferrogen.circuit.spice.static import array_subcircuit, static_netlist
from ferrogen.device.card import card_names, load_card
from ferrogen.device.transport.compact import read_current

pytestmark = pytest.mark.skipif(
    shutil.which("ngspice") is None, reason="ngspice is not installed (apt install ngspice)"
)

# sinh(x) magnifies the rounding of x by x; a number in a netlist is right to 5e-16 (sixteen digits).
CLOSE = 1e-13


def currents(model: tuple[str, ...], instance: str, voltages: np.ndarray) -> np.ndarray:
    commands = []
    for voltage in voltages:
        commands += [f"alter v_1 dc = {number(float(voltage))}", "op", write_results(["i(v_1)"])]
    deck = Deck("one cell", parts={"model": model, "cell": ["V_1 a 0 dc 0.1", instance]}, control=commands)
    return -np.array([plot.vector("i(v_1)")[0] for plot in run_ngspice(deck.text(), plots=voltages.size).plots])


@pytest.mark.parametrize(
    "law",
    [
        Ohmic(), Sinh(0.13), Sinh(0.4), Rectifying(0.1, 1e3), Rectifying(0.1, 1.0), Rectifying(0.3, 2.0),
        InSeries(Sinh(0.2), SeriesResistance(1e7)), InSeries(Ohmic(), SeriesResistance(1e7)),
    ],
    ids=str,
)  # fmt: skip
def test_cells_carry_what_our_laws_say(law: CellLaw) -> None:
    voltages = np.array([0.3, -0.3, 1e-9, -1e-9, 1e-5, -1e-5, 0.09, 0.11, -0.11, 2.0, -2.0])
    conductance = 1.2345678901234567e-8
    model = cell_model(law)
    found = currents(model.lines, model.instance("one", "a", "0", conductance), voltages)
    ours, _ = law.current(np.full(voltages.shape, conductance), voltages)
    assert found == pytest.approx(ours, rel=CLOSE, abs=0.0)


def test_a_selector_agrees_to_what_is_left_of_small_voltages() -> None:
    law = InSeries(Rectifying(0.15, 50.0), Selector(1e-12, 0.05))
    voltages = np.array([0.3, -0.3, 0.8, -0.8, 2.0, -2.0])
    model = cell_model(law)
    found = currents(model.lines, model.instance("one", "a", "0", 1e-8), voltages)
    assert found == pytest.approx(law.current(np.full(6, 1e-8), voltages)[0], rel=1e-11, abs=0.0)


@pytest.mark.parametrize("law", [Sinh(0.1), Rectifying(0.1, 40.0)], ids=str)
def test_the_tangent_goes_on_where_the_exponential_overflows(law: CellLaw) -> None:
    voltages = np.array([59.9, -59.9, 60.1, -60.1, 100.0, -100.0])
    model = cell_model(law)
    found = currents(model.lines, model.instance("one", "a", "0", 1e-8), voltages)
    # Rounding of x = 600 is magnified 600 times.
    assert found == pytest.approx(law.current(np.full(6, 1e-8), voltages)[0], rel=1e-12, abs=0.0)


@pytest.mark.parametrize("name", card_names())
def test_the_junction_of_every_card(name: str) -> None:
    card = load_card(name)
    own = junction_constants(card)
    v0 = card.characteristic_voltage.value
    voltages = np.linspace(-6.0, 6.0, 9) * v0
    for share in (0.0, 0.35, 1.0):
        found = currents(junction_subcircuit(card), f"X_1 a 0 {own.name} s={number(share)}", voltages)
        ours = read_current(voltages, share, card.on_conductance.value, card.off_conductance.value, v0)
        assert found == pytest.approx(ours, rel=CLOSE, abs=1e-24)


def test_the_capacitance_of_the_junction() -> None:
    card = load_card("hzo-mfis-nor")
    own = junction_constants(card)
    slope = 1e6  # V/s
    deck = Deck(
        "ramp",
        parts={
            "model": junction_subcircuit(card),
            "twins": [
                "V_1 a 0 pwl(0 0 1u 1)", f"X_1 a 0 {own.name} s=0.2",
                "V_2 b 0 pwl(0 0 1u 1)", f"X_2 b 0 {own.name} s=0.2 c=0",
            ],
        },
        control=["tran 10n 900n", write_results()],
    )  # fmt: skip
    (plot,) = run_ngspice(deck.text()).plots
    displaced = plot.vector("i(v_2)") - plot.vector("i(v_1)")
    middle = (plot.vector("time") > 1e-7) & (plot.vector("time") < 8e-7)
    assert middle.sum() > 10
    assert displaced[middle] == pytest.approx(own.capacitance * slope, rel=1e-6)


def test_the_array_in_a_deck_of_ones_own() -> None:
    rng = np.random.default_rng(2)
    net = uniform_network(rng.uniform(1e-6, 1e-5, (5, 4)), row_segment=3.0, column_segment=7.0, law=Sinh(0.3))
    inputs = rng.uniform(0.0, 0.6, 5)
    library = array_subcircuit(net, name="mine")
    sources = [f"V_{i} in_{i} 0 {number(float(v))}" for i, v in enumerate(inputs)]
    pins = [*(f"in_{i}" for i in range(5)), *(f"out_{j}" for j in range(4))]
    amplifiers = [f"V_out_{j} out_{j} 0 0" for j in range(4)]
    instance = "X_array " + " ".join(pins) + " mine"
    deck = "\n".join([
        "* my own", library, *sources, *amplifiers, instance, ".options reltol=1e-9 abstol=1e-18 vntol=1e-12",
        ".control", "set filetype=binary", "op", f"write {RESULTS}", "quit 0", ".endc", ".end",
    ])  # fmt: skip
    (plot,) = run_ngspice(deck).plots
    found = np.array([plot.vector(f"i(v_out_{j})")[0] for j in range(4)])
    ours = -solve(net, drive(net, left=inputs)).bottom_current[:, 0]
    assert found == pytest.approx(ours, rel=1e-9)


def test_an_exported_deck_runs_by_hand_and_again(tmp_path: Path) -> None:
    net = uniform_network(np.full((3, 3), 1e-6), row_segment=1.0, column_segment=1.0)
    deck = static_netlist(net, drive(net, left=[[0.1, 0.2]] * 3)).deck.text()
    (tmp_path / "array.cir").write_text(deck)
    for _ in range(2):  # results are written anew, not appended to the old ones
        done = subprocess.run(
            [str(find_ngspice()), "-b", "array.cir"], cwd=tmp_path, capture_output=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0
        assert len(parse_rawfile((tmp_path / RESULTS).read_bytes())) == 2


def test_a_netlist_that_ngspice_does_not_understand() -> None:
    deck = Deck("bad", parts={"x": ["V_1 a 0 1", "B_1 a 0 i = nothing(v(a))"]}, control=["op", write_results()])
    with pytest.raises(SimulatorFailedError, match="no such function 'nothing'"):
        run_ngspice(deck.text())


def test_numbers_in_expressions_lose_digits_and_parameters_do_not() -> None:
    """Why every number of a B-source comes in as a parameter (circuit/spice/netlist.py)."""
    exact = 1.2345678901234567e-9

    def current(line: str) -> float:
        return float(
            currents((".subckt cell p n params: g=1n", "B_1 p n i = {g}*v(p,n)", ".ends cell"), line, np.ones(1))[0]
        )

    assert current(f"X_1 a 0 cell g={number(exact)}") == pytest.approx(exact, rel=1e-15)
    assert abs(current(f"B_1 a 0 i = {number(exact)}*v(a)") / exact - 1.0) > 1e-12
