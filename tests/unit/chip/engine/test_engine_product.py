from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrogen.chip.engine.fused import fused_product
from ferrogen.chip.engine.integers import has_int8, integer_product
from ferrogen.chip.engine.plain import plain_product
from ferrogen.chip.engine.prepared import Prepared, prepare_currents
from ferrogen.chip.engine.product import input_codes, product
from ferrogen.chip.engine.reference import moments, reference_product
from ferrogen.chip.engine.tensors import Tiles
from ferrogen.chip.engine.torch_normals import torch_normals
from ferrogen.core.normals import standard_normals

REFERENCE_PLANE = 2**31
FULL_SCALE = 6e-9
BYTES = pytest.mark.skipif(not has_int8(), reason="this processor has no dot products of bytes")


def make(
    row_tiles: int,
    rows: int,
    outputs: int,
    *,
    levels: int = 127,
    references: int = 0,
    noise: float = 1e-12,
    seed: int = 0,
) -> Prepared:
    g = torch.Generator().manual_seed(seed)
    heavy = (2.0 * torch.randn(row_tiles, rows, outputs + references, generator=g)).exp() * 1e-22
    return prepare_currents(
        torch.randn(row_tiles, rows, outputs, generator=g) * 1e-9,
        heavy[:, :, :outputs],
        torch.full((row_tiles, outputs), noise),
        FULL_SCALE,
        np.uint64(2**63 + 5),
        input_levels=127,
        output_levels=levels,
        reference_variance=heavy[:, :, outputs:] if references else None,
        reference_of=torch.arange(outputs) % (references + 1) - 1 if references else None,
    )


def tiles(p: Prepared) -> Tiles:
    return Tiles(
        p.mean_digits,
        p.mean_step,
        p.variance_digits,
        p.variance_step,
        p.strongest_rows,
        p.strongest_variance,
        p.noise,
        p.full_scale,
        p.key,
        p.reference_of,
        p.output_levels,
    )


def inputs(vectors: int, width: int, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return input_codes(torch.randn(vectors, width, generator=g), 2.5, 127), torch.arange(vectors) * (2**33 + 1) + 7


def normals(p: Prepared, addresses: torch.Tensor) -> torch.Tensor:
    key = np.int64(p.key.item()).astype(np.uint64)
    drawn = []
    for tile in range(p.mean.shape[0]):
        own = standard_normals(key, addresses.numpy(), p.outputs, plane=tile)
        lines = p.variance_step.shape[1] - p.outputs
        shared = standard_normals(key, addresses.numpy(), lines, plane=REFERENCE_PLANE + tile)
        drawn.append(np.concatenate([own, shared], axis=1))
    return torch.from_numpy(np.stack(drawn)).double()


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 70),
    row_tiles=st.integers(1, 3),
    outputs=st.integers(1, 40),
    vectors=st.integers(0, 150),
    levels=st.sampled_from([127, 7, 0]),
    references=st.integers(0, 5),
    fast=st.booleans(),
    data=st.data(),
)
def test_all_forms_give_the_same_bits(
    rows: int, row_tiles: int, outputs: int, vectors: int, levels: int, references: int, fast: bool, data: Any
) -> None:
    """Bytes and floats, numba and torch operations; also with other currents added and a last tile partly used."""
    p = make(row_tiles, rows, outputs, levels=levels, references=references)
    width = row_tiles * rows - data.draw(st.integers(0, rows - 1))
    codes, addresses = inputs(vectors, width)
    added = torch.randn(row_tiles, vectors, outputs) * 1e-10 if data.draw(st.booleans()) else None
    expected, clipped = plain_product(codes, tiles(p), addresses, added, fast=fast)
    for backend in ("float", "int8") if has_int8() else ("float",):
        got, lost = fused_product(codes, tiles(p), addresses, added, fast=fast, backend=backend)  # type: ignore[arg-type]
        assert torch.equal(got, expected)
        assert int(lost) == int(clipped)


@BYTES
@settings(max_examples=60, deadline=None)
@given(m=st.integers(1, 70), k=st.integers(1, 300), n=st.integers(1, 70), seed=st.integers(0, 99))
def test_byte_products_are_exact_for_any_shape(m: int, k: int, n: int, seed: int) -> None:
    """With the largest bytes, too, where instructions that saturate go wrong; also as parts of larger matrices."""
    g = torch.Generator().manual_seed(seed)
    choice = torch.tensor([-128, -127, 126, 127, 0, 1], dtype=torch.int8)
    left = choice[torch.randint(6, (m, k + 3), generator=g)][:, 3:]
    right = (
        choice[torch.randint(6, (n, 1, k), generator=g)].permute(1, 2, 0).contiguous()[0]
    )  # strides (1, 1) if k is 1
    expected = (left.long() @ right.long()).to(torch.int32)
    assert torch.equal(integer_product(left, right, k * 2**14, "int8"), expected)
    assert torch.equal(integer_product(left, right, k * 2**14, "float"), expected)
    assert torch.equal(integer_product(left, right, 2**31 - 1, "float"), expected)


def test_normals_of_torch_have_the_same_bits() -> None:
    addresses = torch.cat([torch.arange(3000), torch.tensor([2**40 + 3, 2**62 + 9])])
    drawn = torch_normals(torch.tensor(-(2**63) + 5), torch.tensor([0, 3]), addresses, 13)
    for k, plane in enumerate((0, 3)):
        expected = standard_normals(np.uint64(2**63 + 5), addresses.numpy(), 13, plane=plane)
        assert torch.equal(drawn[k].T, torch.from_numpy(expected))


@pytest.mark.parametrize(("row_tiles", "references"), [(1, 0), (3, 0), (2, 3)])
def test_result_is_that_of_the_readable_form(row_tiles: int, references: int) -> None:
    """Ideal converters: within 1e-4 of the full scale, which the noise's 14 bits leave; some steps off with others."""
    for levels in (0, 127):
        p = make(row_tiles, 64, 23, levels=levels, references=references)
        codes, addresses = inputs(200, row_tiles * 64 - 5)
        added = torch.randn(row_tiles, 200, 23, generator=torch.Generator().manual_seed(3)) * 1e-10
        got, clipped = product(codes, p, addresses, added=added)
        expected, lost = reference_product(codes, p, normals(p, addresses), added)
        off = (got - expected).abs() / FULL_SCALE
        if levels == 0:
            assert off.max() < 2e-4
        else:
            assert off.max() < 1.01 / levels
            assert (off > 1e-6).double().mean() < 0.01
            assert int(lost) > 0
        assert abs(int(clipped) - int(lost)) <= 2


def noiseless(row_tiles: int, rows: int, outputs: int) -> Prepared:
    p = make(row_tiles, rows, outputs, levels=0)
    return prepare_currents(
        p.mean,
        torch.zeros_like(p.variance),
        torch.zeros_like(p.noise),
        FULL_SCALE,
        np.uint64(3),
        input_levels=127,
        output_levels=0,
    )


@pytest.mark.parametrize("rows", [1, 32, 128, 512, 1500])
def test_means_are_right_to_a_hundred_thousandth_of_the_range(rows: int) -> None:
    """Range: what all inputs at their largest can drive through an output."""
    p = noiseless(2, rows, 17)
    codes, addresses = inputs(64, 2 * rows)
    got, _ = product(codes, p, addresses)
    mean, _, _ = moments(codes, p)
    span = p.mean.double().abs().amax(dim=1).sum(dim=0) * rows
    assert ((got - mean.sum(dim=0)).abs() / span).max() < 1e-5


def test_a_vector_has_the_same_bits_in_any_batch_in_any_place_with_any_threads() -> None:
    p = make(2, 96, 130)
    codes, addresses = inputs(700, 180)
    whole, clipped = product(codes, p, addresses)
    parts = [product(codes[a:b], p, addresses[a:b]) for a, b in ((0, 1), (1, 18), (18, 530), (530, 700))]
    assert torch.equal(torch.cat([part for part, _ in parts]), whole)
    assert sum(int(lost) for _, lost in parts) == int(clipped) > 0
    order = torch.randperm(700, generator=torch.Generator().manual_seed(2))
    assert torch.equal(product(codes[order], p, addresses[order])[0], whole[order])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if before > 1 else 2)
        assert torch.equal(product(codes, p, addresses)[0], whole)
    finally:
        torch.set_num_threads(before)
    assert not torch.equal(product(codes, p, addresses + 1)[0], whole)


def test_outputs_of_a_reference_line_share_its_noise() -> None:
    """With no other noise, outputs that subtract one line move together, those of another independently of them."""
    shared = torch.rand(1, 16, 2) * 1e-20
    zero = torch.zeros(1, 16, 5)
    p = prepare_currents(
        zero, zero, torch.zeros(1, 5), FULL_SCALE, np.uint64(4), input_levels=127, output_levels=0,
        reference_variance=shared, reference_of=torch.tensor([0, 0, 1, 1, -1]),
    )  # fmt: skip
    vectors = 4000
    codes = torch.full((vectors, 16), 127, dtype=torch.int8)
    got, _ = product(codes, p, torch.arange(vectors))
    assert torch.equal(got[:, 0], got[:, 1])
    assert torch.equal(got[:, 2], got[:, 3])
    assert torch.all(got[:, 4] == 0.0)
    # Level of each: 1e-3.
    assert abs(torch.corrcoef(got[:, [0, 2]].T)[0, 1]) * vectors**0.5 < 3.3
    expected = shared.sum(dim=1)[0].double()
    assert torch.all((got[:, [0, 2]].double().var(dim=0) / expected - 1.0).abs() < 3.3 * (2.0 / vectors) ** 0.5)


def test_odd_batches() -> None:
    p = make(2, 8, 3)
    codes, addresses = inputs(0, 16)
    empty, clipped = product(codes, p, addresses)
    assert empty.shape == (0, 3)
    assert int(clipped) == 0
