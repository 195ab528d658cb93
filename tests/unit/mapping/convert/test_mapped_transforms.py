"""A mapped module is an ordinary one: torch.export, vmap over virtual chips, copies, devices and types."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ferrogen import Chip, ChipSpec, Periphery, map_to_chip
from ferrogen.circuit.converters import IdealADC
from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.mapping.convert.mapped import MappedModule


def _module() -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    made = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0.0, 0.4, generator=generator)
    return made


_X = torch.randn(4, 2, 4, 4, generator=torch.Generator().manual_seed(2))


def _mapped(seed: int = 1, x: torch.Tensor | None = _X) -> MappedModule:
    return map_to_chip(_module(), Chip("hzo-mfis-nor", seed=seed, spec=ChipSpec(rows=32, columns=64, tiles=2)), x)


def test_an_exported_program_makes_the_same_images_and_counts_them() -> None:
    mapped = _mapped()
    first, second = mapped(_X), mapped(_X)
    mapped.seek(0)
    with torch.no_grad():
        program = torch.export.export(mapped, (_X,)).module()
    assert torch.equal(program(_X), first)
    assert torch.equal(program(_X), second)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_vmap_over_virtual_chips() -> None:
    chips = [_mapped(seed) for seed in (1, 2, 3)]
    parameters, buffers = torch.func.stack_module_state(chips)
    base = chips[0]

    def run(own: dict[str, torch.Tensor], held: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(base, (own, held), (x,))

    with torch.no_grad():
        together = torch.func.vmap(run, in_dims=(0, 0, None))(parameters, buffers, _X)
    for out, mapped in zip(together, chips, strict=True):
        mapped.seek(0)
        assert torch.equal(out, mapped(_X))
    assert not torch.equal(together[0], together[1])


def test_a_copy_counts_for_itself() -> None:
    mapped = _mapped()
    other = copy.deepcopy(mapped)
    whole = mapped(_X)
    assert int(other.clock.next_image) == 0
    assert torch.equal(other(_X), whole)


def test_half_precision_of_the_digital_rest_leaves_the_tiles_alone() -> None:
    mapped = _mapped()
    whole = mapped(_X)
    halved = mapped.half()
    halved.seek(0)
    assert all(buffer.dtype is not torch.float16 for buffer in halved.buffers())
    torch.testing.assert_close(halved(_X).float(), whole, rtol=2e-3, atol=2e-3)


def test_calibration_can_come_later_and_does_not_advance_the_clock() -> None:
    early, late = _mapped(), _mapped(x=None)
    assert "call .calibrate(inputs)" in str(late.report())
    with pytest.raises(ArgumentError, match="ranges set"):
        late(_X)
    assert late.calibrate(_X) is late
    assert int(late.clock.next_image) == 0
    assert torch.equal(late(_X), early(_X))


def test_several_batches_widen_the_ranges() -> None:
    narrow, wide = _mapped(), _mapped(x=None).calibrate([_X, 3.0 * _X])
    ranges = [m.report().layers[0].input_range for m in (narrow, wide)]
    assert ranges[1] > 1.5 * ranges[0]


def test_a_module_that_was_not_mapped_from_the_same_is_told(tmp_path) -> None:
    path = tmp_path / "state.safetensors"
    _mapped().save(path)
    other = map_to_chip(nn.Linear(3, 3), Chip("hzo-mfis-nor", spec=ChipSpec(rows=32, columns=64, tiles=2)))
    with pytest.raises(DataFileError, match="not one of this module"):
        other.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(DataFileError, match="cannot be read"):
        other.load(path)


def test_a_call_without_images_says_what_to_do() -> None:
    with pytest.raises(ArgumentError, match=r"mapped\.images"):
        _mapped()()
    with pytest.raises(ArgumentError, match="whole number"):
        _mapped().seek(-1)


def test_printed_it_says_where_it_is() -> None:
    assert "2 layers on 1 tiles of chip 1" in repr(_mapped())


def test_trained_weights_are_put_on_the_tiles() -> None:
    mapped = _mapped()
    before = mapped(_X)
    optimiser = torch.optim.SGD(mapped.parameters(), lr=0.05)
    mapped.train()
    for _ in range(3):
        optimiser.zero_grad()
        mapped(_X).square().mean().backward()
        optimiser.step()
    mapped.eval()
    assert mapped.program() is mapped
    mapped.seek(0)
    assert float(mapped(_X).detach().square().mean()) < 0.9 * float(before.square().mean())


def test_the_fast_mode_has_the_same_means_and_nearly_the_same_noise() -> None:
    spec = ChipSpec(rows=32, columns=64, tiles=2, periphery=Periphery(multiply_adc=IdealADC()))  # nothing hides noise
    exact, quick = (
        map_to_chip(_module(), Chip("hzo-mfis-nor", seed=1, spec=spec), _X, fast=fast) for fast in (False, True)
    )
    assert all(part.fast for layer in quick.analog_layers().values() for part in layer.parts)
    first, again, other = exact(_X), exact(_X), quick(_X)
    assert not torch.equal(other, first)
    noise = (again - first).square().mean().sqrt()
    assert (other - first).square().mean().sqrt() < 0.05 * noise  # the same normals, deviations within per cents
