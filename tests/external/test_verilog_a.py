"""The Verilog-A module of a card, compiled by OpenVAF: current, charge and their derivatives against our model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferrogen.circuit.network.cells import Sinh
from ferrogen.circuit.spice.devices import junction_constants
from ferrogen.circuit.spice.verilog_a import verilog_a_module
from ferrogen.core.constants import VACUUM_PERMITTIVITY
from ferrogen.device.card import DeviceCard, card_names, load_card
from ferrogen.device.transport.compact import read_current

openvaf = pytest.importorskip(
    "openvaf_py", reason="openvaf-py is not installed (pip install openvaf-py; Python 3.11 and 3.12 only)"
)

# Both sides are a sinh and a few products of doubles: a few roundings, each of 1.1e-16. The sinh magnifies the rounding
# of its argument V / V0 by the argument itself, here at most 20.
CLOSE = 1e-13


def compiled(card: DeviceCard, folder: Path, capfd: pytest.CaptureFixture[str], header: str = "") -> Any:
    path = folder / "model.va"
    path.write_text(verilog_a_module(card, header), encoding="utf-8")
    (module,) = openvaf.compile_va(str(path))
    heard = capfd.readouterr()
    assert heard.out + heard.err == ""  # neither errors nor warnings
    return module


def values(module: Any, voltage: float, share: float, **changes: float) -> tuple[np.ndarray, np.ndarray]:
    """Residual (current, charge) of both terminals, and their derivatives by both voltages."""
    given = {**module.get_param_defaults(), "switched_fraction": share, "V(top,bottom)": voltage, "mfactor": 1.0}
    residual, jacobian = module.run_init_eval(given | changes)
    table = np.zeros((2, 2, 2))
    for row, column, resistive, reactive in jacobian:
        table[row, column] = resistive, reactive
    return np.array(residual), table


@pytest.mark.parametrize("name", card_names())
def test_every_card_is_our_model(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    card = load_card(name)
    module = compiled(card, tmp_path, capfd)
    own = junction_constants(card)
    assert module.name == own.name
    v0 = card.characteristic_voltage.value
    for share in (0.0, 0.3, 1.0):
        on, off = card.on_conductance.value, card.off_conductance.value
        for voltage in [*np.linspace(-20.0, 20.0, 23) * v0, 1e-9]:
            residual, jacobian = values(module, float(voltage), share)
            current = float(read_current(voltage, share, on, off, v0))
            slope = (share * on + (1.0 - share) * off) * np.cosh(voltage / v0)
            assert residual[0] == pytest.approx([current, own.capacitance * voltage], rel=CLOSE, abs=0.0)
            assert residual[1] == pytest.approx(-residual[0], rel=0.0, abs=0.0)  # what goes in comes out
            sign = np.array([[1.0, -1.0], [-1.0, 1.0]])
            assert jacobian[..., 0] == pytest.approx(sign * slope, rel=CLOSE, abs=0.0)
            assert jacobian[..., 1] == pytest.approx(sign * own.capacitance, rel=CLOSE, abs=0.0)


@pytest.mark.parametrize("ratio", [599.9, -599.9, 600.1, -600.1, 1e4, -1e4])
def test_the_tangent_goes_on_where_sinh_overflows(
    ratio: float, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    card = load_card("hzo-mfis-nor")
    module = compiled(card, tmp_path, capfd)
    own = junction_constants(card)
    v0 = own.characteristic_voltage
    conductance = 0.25 * own.on_conductance + 0.75 * own.off_conductance
    current, slope = Sinh(v0).current(np.array(conductance), np.array(ratio * v0))
    residual, jacobian = values(module, ratio * v0, 0.25)
    # sinh(x) magnifies the rounding of x = V / V0 by x: 600 times 2.2e-16.
    assert residual[0, 0] == pytest.approx(float(current), rel=5e-13)
    assert jacobian[0, 0, 0] == pytest.approx(float(slope), rel=5e-13)


def test_parameters_are_the_cards_and_have_units(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    card = load_card("hzo-mfis-nor")
    module = compiled(card, tmp_path, capfd, header='made by */ `include "evil"\nmodule x; endmodule')
    assert {item["name"]: item["units"] for item in module.get_osdi_descriptor()["params"]} == {
        "switched_fraction": "1", "on_conductance": "S", "off_conductance": "S", "characteristic_voltage": "V",
        "capacitance": "F",
    }  # fmt: skip
    defaults = module.get_param_defaults()
    assert defaults["on_conductance"] == card.on_conductance.value
    # A parallel plate: ferroelectric and interlayer in series, no dead layer in this card's section [interface].
    stack = card.ferroelectric_thickness.value / card.ferroelectric_permittivity.value
    stack += card.interlayer_thickness.value / card.interlayer_permittivity.value
    interface = card.interface
    if interface is not None:
        if interface.dead_layer_thickness is not None and interface.dead_layer_permittivity is not None:
            stack += interface.dead_layer_thickness.value / interface.dead_layer_permittivity.value
        for length in (interface.top_screening_length, interface.bottom_screening_length):
            stack += 0.0 if length is None else length.value
    plate = VACUUM_PERMITTIVITY * card.cell_area.value / stack
    assert defaults["capacitance"] == pytest.approx(plate, rel=1e-12)


def test_parameters_of_an_instance_are_used(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    module = compiled(load_card("hzo-mfis-nor"), tmp_path, capfd)
    given = {"on_conductance": 3e-6, "off_conductance": 1e-7, "characteristic_voltage": 0.1, "capacitance": 2e-15}
    residual, _ = values(module, 0.2, 0.5, **given)
    assert residual[0, 0] == pytest.approx(float(read_current(0.2, 0.5, 3e-6, 1e-7, 0.1)), rel=CLOSE)
    assert residual[0, 1] == pytest.approx(2e-15 * 0.2, rel=CLOSE)


def test_ranges_stand_in_the_source() -> None:
    source = verilog_a_module(load_card("hzo-mfis-nor"))
    assert "switched_fraction = 0.5 from [0:1];" in source
    assert source.count("from (0:inf);") == 3
    assert "capacitance" in source
    assert "from [0:inf);" in source
