"""The budget of a module's errors: each source alone, and all together."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.converters import ADC
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import ArgumentError
from ferrogen.device.card import load_card
from ferrogen.mapping.module_budget import EVERYTHING, module_budget, quadrature, relative_deviation

SPEC = ChipSpec(rows=32, columns=32, tiles=4)
CARD = load_card("hzo-mfis-nor")


def _linear() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    module = nn.Linear(32, 16)
    with torch.no_grad():
        module.weight.uniform_(-1.0, 1.0, generator=generator)
        module.bias.zero_()
    return module, *(torch.rand(256, 32, generator=generator) for _ in range(2))


def test_errors_of_a_linear_module_add_in_squares() -> None:
    rows = module_budget(_linear()[0], CARD, *_linear()[1:], spec=SPEC, chips=2)
    alone = {row.source: row.relative_error for row in rows}
    assert all(0.0 <= row.low <= row.relative_error <= row.high for row in rows)
    assert alone["conductance levels"] > 0.0
    assert alone["output converter"] > 0.0
    # Sources are independent and a linear module only adds them; a budget that forgot or doubled one would be off.
    assert quadrature(rows) == pytest.approx(alone[EVERYTHING], rel=0.25)


def test_a_coarser_converter_costs_what_its_steps_say() -> None:
    module, calibration, inputs = _linear()
    found = {}
    for bits in (4, 6):
        spec = replace(SPEC, periphery=replace(Periphery(), multiply_adc=ADC(bits=bits)))
        rows = module_budget(module, CARD, calibration, inputs, spec=spec, chips=1, sources=["output converter"])
        found[bits] = rows[0].relative_error
    assert found[4] / found[6] == pytest.approx(31.0 / 7.0, rel=0.3)  # steps; the range chosen shifts a little


def test_only_the_sources_asked_for() -> None:
    rows = module_budget(*_first(), spec=SPEC, chips=1, sources=["programming"])
    assert [row.source for row in rows] == ["programming"]


def _first() -> tuple[nn.Module, object, torch.Tensor, torch.Tensor]:
    module, calibration, inputs = _linear()
    return module, CARD, calibration, inputs


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"chips": 0}, "chips"), ({"sources": ["gremlins"]}, "gremlins")],
)
def test_wrong_arguments_are_named(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        module_budget(*_first(), spec=SPEC, **changes)


def test_constant_outputs_have_no_deviation() -> None:
    with pytest.raises(ArgumentError, match="constant"):
        relative_deviation(torch.ones(3), torch.ones(3))
    assert relative_deviation(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])) == pytest.approx(1.0)
    assert not math.isnan(relative_deviation(torch.zeros(2), torch.tensor([0.0, 1.0])))
