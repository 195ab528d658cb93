"""What a mapped module refuses instead of showing something wrong."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from ferrogen import Chip, ChipSpec, Periphery, map_to_chip
from ferrogen.chip.aging import Age
from ferrogen.circuit.converters import DAC
from ferrogen.core.errors import ArgumentError
from ferrogen.mapping.convert.mapped import MappedModule
from ferrogen.mapping.modules.clock import MOST_IMAGES


def _network() -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 4))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0.0, 0.3, generator=generator)
    return module


def _x() -> torch.Tensor:
    return torch.randn(16, 12, generator=torch.Generator().manual_seed(1))


def _mapped(seed: int = 1, periphery: Periphery | None = None, fidelity: str = "statistical") -> MappedModule:
    spec = ChipSpec(rows=32, columns=32, tiles=8, periphery=periphery or Periphery())
    return map_to_chip(_network(), Chip("hzo-mfis-nor", seed=seed, spec=spec), _x(), fidelity=fidelity)


@pytest.mark.parametrize("bits", [8, 12])
def test_nan_has_no_code(bits: int) -> None:
    mapped, broken = _mapped(periphery=Periphery(dac=DAC(bits=bits))), _x()
    broken[3, 4] = math.nan
    with pytest.raises(ArgumentError, match="NaN in 1 of 192 inputs of a layer"):
        mapped(broken)
    assert torch.isfinite(mapped(_x())).all()


def test_nan_has_no_code_at_the_cell_level() -> None:
    mapped, broken = _mapped(fidelity="cell"), _x()
    broken[0, 0] = math.nan
    with pytest.raises(ArgumentError, match="NaN"):
        mapped(broken)


def test_infinity_is_clipped_like_any_large_input() -> None:
    mapped, large, infinite = _mapped(), _x(), _x()
    large[0, 0], infinite[0, 0] = 1e30, math.inf
    first = mapped(large)
    mapped.seek(0)
    assert torch.equal(mapped(infinite), first)


def test_numbers_of_images_end() -> None:
    mapped = _mapped()
    mapped.seek(MOST_IMAGES - 16)
    mapped(_x())
    with pytest.raises(ArgumentError, match=rf"numbers below {MOST_IMAGES}.*seek"):
        mapped(_x())
    assert int(mapped.clock.next_image) == MOST_IMAGES


def test_a_state_from_another_chip_is_not_read_by_this_chips_circuits() -> None:
    drawn = Periphery(dac=DAC(gain_error=0.1))
    one, two = _mapped(1, drawn), _mapped(2, drawn)
    two.load_state_dict(one.state_dict())
    with pytest.raises(ArgumentError, match=r"circuits that were drawn with the chip.*program\(\)"):
        two(_x())
    two.program()
    two.seek(0)
    assert torch.isfinite(two(_x())).all()
    same = _mapped(1, drawn)
    same.load_state_dict(one.state_dict())
    one.seek(0)
    same.seek(0)
    assert torch.equal(same(_x()), one(_x()))


def test_loading_leaves_what_the_chip_has_alone() -> None:
    one, two = _mapped(1), _mapped(2)
    parts = [part for layer in two.analog_layers().values() for part in layer.parts]
    before = [part.linear.prepared(part.point).mean.clone() for part in parts]
    two.load_state_dict(one.state_dict())
    assert all(torch.equal(part.linear.prepared(part.point).mean, own) for part, own in zip(parts, before, strict=True))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("chip", "hzo-mfis-nor", "ferrogen.Chip"),
        ("chip", None, "ferrogen.Chip"),
        ("point", "1.2 V", "ferrogen.OperatingPoint"),
        ("coding", "differential", "CodingSpec"),
        ("skip", None, "names of submodules"),
        ("repair", True, "way of repair"),
        ("latent_source", 5, "dedicated_source"),
    ],
)
def test_arguments_of_other_types_are_refused_before_any_work(name: str, value: object, words: str) -> None:
    arguments = {"chip": Chip("hzo-mfis-nor", seed=1), "inputs": _x(), name: value}
    with pytest.raises(ArgumentError, match=rf"`{name}` must .*{words}"):
        map_to_chip(_network(), **arguments)


@pytest.mark.parametrize("given", [np.ones((2, 12), dtype=np.float32), [1.0], 2.5])
def test_inputs_that_are_no_tensors_are_named(given: object) -> None:
    with pytest.raises(ArgumentError, match=rf"it is of {type(given).__name__}.*from_numpy"):
        _mapped()(given)


@pytest.mark.parametrize(
    "age",
    [{"cycles": -1.0}, {"cycles": math.nan}, {"storage_time": math.inf}, {"storage_temperature": 0.0}, {"cycles": "a"}],
)
def test_ages_that_cannot_be(age: dict[str, float]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(age))):
        Age(**age)


def test_mapping_does_not_import_the_compiler_of_torch() -> None:
    code = (
        "import sys, torch, ferrogen as fg;"
        "m = fg.map_to_chip(torch.nn.Linear(4, 3), fg.Chip('hzo-mfis-nor', seed=1), torch.randn(8, 4));"
        "m(torch.randn(8, 4)); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
