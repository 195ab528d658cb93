"""Sources of error that only chips with drawn circuits have."""

from __future__ import annotations

from dataclasses import replace

from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.amplifier import Amplifier
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.readout.sample_hold import SampleHold
from ferrogen.circuit.readout.sar import SarADC
from ferrogen.device.card import load_card
from ferrogen.mapping.budget import error_budget

SMALL = ChipSpec(rows=32, columns=16, tiles=1)
NEW = {"output converter, as designed", "amplifier with offset, delay and range", "sample and hold"}


def test_a_chip_without_drawn_circuits_has_the_known_sources() -> None:
    sources = [item.source for item in error_budget(load_card("hzo-mfis-nor"), OperatingPoint(), SMALL, chips=2)]
    assert not NEW & set(sources)
    assert len(sources) == 10


def test_mismatch_offsets_and_droop_cost_bits_of_their_own() -> None:
    periphery = replace(
        Periphery(),
        multiply_adc=SarADC(8, unit_mismatch=0.1),
        multiply_amplifier=Amplifier(1e7, offset_voltage=2e-3),
        sample_hold=SampleHold(leakage_current=3e-10),
    )
    spec = replace(SMALL, periphery=periphery)
    bits = {item.source: item.bits for item in error_budget(load_card("hzo-mfis-nor"), OperatingPoint(), spec, chips=3)}
    assert set(bits) >= NEW
    assert bits["output converter"] < bits["output converter, as designed"] - 0.5
    assert bits["amplifier with offset, delay and range"] < bits["electronic noise"] - 1.0
    assert bits["everything"] < min(bits[source] for source in NEW)
