from __future__ import annotations

import numpy as np
import torch
from torch import library

from ferrogen.chip.engine.prepared import Prepared, prepare_currents
from ferrogen.chip.engine.product import input_codes, product


def make(seed: int) -> Prepared:
    g = torch.Generator().manual_seed(seed)
    return prepare_currents(
        torch.randn(2, 20, 7, generator=g) * 1e-9,
        torch.rand(2, 20, 7, generator=g) * 1e-21,
        torch.full((2, 7), 1e-12),
        (1.0 + seed) * 4e-9,
        np.uint64(100 + seed),
        input_levels=127,
        output_levels=127,
    )


class Layer(torch.nn.Module):
    def __init__(self, prepared: Prepared) -> None:
        super().__init__()
        for name, tensor in prepared.tensors().items():
            self.register_buffer(name, tensor)
        self.names, self.levels = list(prepared.tensors()), (prepared.input_levels, prepared.output_levels)

    def forward(self, x: torch.Tensor, addresses: torch.Tensor) -> torch.Tensor:
        prepared = Prepared.from_tensors({name: getattr(self, name) for name in self.names}, *self.levels)
        result: torch.Tensor = product(input_codes(x, 2.0, prepared.input_levels), prepared, addresses)[0] * 1e9
        return result


def test_a_module_is_exported_with_a_batch_of_any_size() -> None:
    layer, x, addresses = Layer(make(0)), torch.randn(5, 40), torch.arange(5)
    size = torch.export.Dim("vectors", min=2, max=500)
    program = torch.export.export(layer, (x, addresses), dynamic_shapes=({0: size}, {0: size}))
    assert any("analog_product" in str(node.target) for node in program.graph.nodes)
    for vectors in (5, 33):
        x, addresses = torch.randn(vectors, 40), torch.arange(vectors) + 9
        assert torch.equal(program.module()(x, addresses), layer(x, addresses))


def test_stacked_chips_give_what_each_gives_alone() -> None:
    chips = [Layer(make(seed)) for seed in range(3)]
    stacked = {name: torch.stack([getattr(chip, name) for chip in chips]) for name in chips[0].names}
    x, addresses = torch.randn(6, 40), torch.arange(6)

    def one(buffers: dict[str, torch.Tensor]) -> torch.Tensor:
        result: torch.Tensor = torch.func.functional_call(chips[0], buffers, (x, addresses))
        return result

    together = torch.func.vmap(one)(stacked)
    assert together.shape == (3, 6, 7)
    for chip, result in zip(chips, together, strict=True):
        assert torch.equal(chip(x, addresses), result)
    assert not torch.equal(together[0], together[1])


def test_the_operator_is_a_proper_one() -> None:
    p = make(0)
    arguments = (
        input_codes(torch.randn(5, 40), 2.0, 127), torch.arange(5), None, p.mean_digits, p.mean_step, p.variance_digits,
        p.variance_step, p.strongest_rows, p.strongest_variance, p.noise, p.full_scale, p.key, None, 127, False,
    )  # fmt: skip
    library.opcheck(torch.ops.ferrogen.analog_product.default, arguments)


def test_prepared_tensors_go_there_and_back() -> None:
    p = make(1)
    again = Prepared.from_tensors(p.tensors(), p.input_levels, p.output_levels)
    assert again.reference_of is None
    assert all(getattr(again, name) is tensor for name, tensor in p.tensors().items())
    assert (again.input_levels, again.output_levels, again.inputs, again.outputs) == (127, 127, 40, 7)
