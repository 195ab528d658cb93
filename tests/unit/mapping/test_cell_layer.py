"""The cell level of a layer: against the conductances of every cycle, and whatever its circuits are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.converters import DAC, IdealADC
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.wires import IdealWires, Wires
from ferrogen.mapping.coding.spec import CodingSpec
from ferrogen.mapping.layer import AnalogLinear, map_linear

CARD = "hzo-3nm-direct"


def mapped(periphery: Periphery, coding: CodingSpec | None = None) -> tuple[AnalogLinear, OperatingPoint, torch.Tensor]:
    chip = Chip(CARD, 2, ChipSpec(rows=16, columns=24, tiles=12, periphery=periphery))
    rng = np.random.default_rng(0)
    layer = map_linear(chip, rng.normal(size=(10, 40)), np.zeros(10), coding=coding)
    point = OperatingPoint.for_card(chip.device)
    x = torch.from_numpy(rng.uniform(-1.0, 1.0, (60, 40)).astype(np.float32))
    layer.calibrate(x, point)
    return layer, point, x


def both_ways(layer: AnalogLinear, point: OperatingPoint, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return outputs with every trap followed, and those of the conductances made cycle by cycle."""
    layer.resolved_share = 1.0
    addresses, cycles = torch.arange(60) + 7, torch.arange(60) // 2 + 1000
    fast = layer.multiply(x, point, addresses, cycles=cycles, fidelity="cell")
    current, _ = layer._solved_currents(x, point, addresses, cycles)
    return fast, layer._finish(current, layer.matrices(point).drive)


@pytest.mark.parametrize("coding", [None, CodingSpec(scheme="offset-column")])
@pytest.mark.parametrize("dac", [DAC(), DAC(driver="linear")])
def test_following_traps_gives_what_their_conductances_give(
    dac: DAC, coding: CodingSpec | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Amplifiers' noise is drawn by other generators on the two paths; it is not what is compared.
    monkeypatch.setattr(
        AnalogLinear, "_electronic_noise", lambda self, point: torch.zeros(3, 1, self.matrices(point).mean.shape[2])
    )
    periphery = Periphery(dac=dac, multiply_adc=IdealADC(), wires=IdealWires())
    layer, point, x = mapped(periphery, coding)
    fast, slow = both_ways(layer, point, x)
    statistical = layer.multiply(x, point, torch.arange(60) + 7)
    # The engine's means have sixteen bits: 3e-5 of the outputs, and a twentieth of this card's small noise.
    assert float((fast - slow).std()) < 0.1 * float((statistical - slow).std())


def test_lossy_wires_are_solved_for() -> None:
    layer, point, x = mapped(Periphery(wires=Wires(row_segment=2e5, column_segment=2e5)))
    assert layer.cells(point).largest_drop > 0.05
    fast, slow = both_ways(layer, point, x)
    assert torch.equal(fast, slow)


@pytest.mark.parametrize("share", [0.9, 1.0])
def test_a_vector_alone_has_the_bits_it_has_in_a_batch(share: float) -> None:
    layer, point, x = mapped(Periphery())
    layer.resolved_share = share
    addresses, cycles = torch.arange(60), torch.arange(60) // 3
    together = layer.multiply(x, point, addresses, cycles=cycles, fidelity="cell")
    for k in (0, 31, 59):
        alone = layer.multiply(x[k : k + 1], point, addresses[k : k + 1], cycles=cycles[k : k + 1], fidelity="cell")
        assert torch.equal(alone, together[k : k + 1])


def test_a_program_of_other_conductances_is_followed_anew() -> None:
    layer, point, _ = mapped(Periphery())
    before = layer.cells(point)
    assert layer.cells(point) is before
    chip = layer.chip
    chip.program(layer.grid[0][0], np.full((16, 24), chip.window.low))
    assert layer.cells(point) is not before
    layer.resolved_share = 0.5
    assert layer.cells(point).followed_traps < before.followed_traps
