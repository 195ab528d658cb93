"""Layers as matrix products, against PyTorch's own layers in double precision."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from ferrogen.core.errors import ArgumentError
from ferrogen.mapping.lowering import Lowering, lower

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")  # torch's own, of speed

_CONVOLUTIONS = {
    (1, False): nn.Conv1d,
    (2, False): nn.Conv2d,
    (1, True): nn.ConvTranspose1d,
    (2, True): nn.ConvTranspose2d,
}


def _computed(lowering: Lowering, layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return what the lowered layer computes, part by part."""
    assert isinstance(layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.Linear)
    bias = torch.zeros(lowering.outputs, dtype=x.dtype) if layer.bias is None else layer.bias
    outputs = [
        vectors @ weight.T + bias[lowering.part_outputs(part)]
        for part, vectors, weight in zip(
            lowering.parts, lowering.vectors(x), lowering.weights(layer.weight), strict=True
        )
    ]
    return lowering.assemble(outputs, x.shape, bias)


@st.composite
def _layers(draw: st.DrawFn, *, transposed: bool) -> tuple[nn.Module, torch.Tensor]:
    """Draw a convolution with any options, and an input that it takes."""
    spatial = draw(st.integers(1, 2))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    channels = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    each = st.tuples(*[st.integers(1, 4)] * spatial)
    kernel, dilation = draw(each), draw(st.tuples(*[st.integers(1, 3)] * spatial))
    stride = draw(st.tuples(*[st.integers(1, 4)] * spatial))
    size = draw(st.tuples(*[st.integers(1, 6)] * spatial))
    bias = draw(st.booleans())
    if transposed:
        reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
        most = [(n - 1) * s + r + e - 1 for n, s, r, e in zip(size, stride, reach, extra, strict=True)]
        padding: object = tuple(draw(st.integers(0, min(m // 2, 4))) for m in most)
        arguments = {"output_padding": extra}
    else:
        mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
        kind = draw(st.sampled_from(["number", "same", "valid"]))
        if kind == "same":
            stride = (1,) * spatial
        if kind == "number":
            most = [n - 1 if mode == "reflect" else n for n in size]
            padding = tuple(draw(st.integers(0, min(m, 3))) for m in most)
        else:
            padding = kind
        arguments = {"padding_mode": mode}
    maker = _CONVOLUTIONS[spatial, transposed]
    layer = maker(
        *channels, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=bias, **arguments
    )
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    layer = layer.double().requires_grad_(False)
    for value in layer.parameters():
        value.normal_(generator=generator)
    shape = (channels[0], *size) if draw(st.booleans()) else (draw(st.integers(1, 3)), channels[0], *size)
    return layer, torch.randn(shape, dtype=torch.float64, generator=generator)


def _fits(lowering: Lowering, x: torch.Tensor) -> bool:
    try:
        lowering.check(x.shape)
    except ArgumentError:  # held against the layer's own refusal by the tests above
        return False
    return True


def _check(layer: nn.Module, x: torch.Tensor, rows: int | None, outputs: int | None = None) -> None:
    lowering = lower(layer, rows, outputs)
    assert lowering is not None
    try:
        wanted = layer(x)
    except RuntimeError:
        with pytest.raises(ArgumentError, match="input"):
            lowering.vectors(x)
        return
    made = _computed(lowering, layer, x)
    assert made.shape == wanted.shape == lowering.output_shape(x.shape)
    assert made.is_contiguous()
    torch.testing.assert_close(made, wanted, rtol=1e-12, atol=1e-12)


@settings(max_examples=150)
@given(drawn=_layers(transposed=False), rows=st.sampled_from([None, 1, 8, 64]))
def test_convolutions_of_all_kinds(drawn: tuple[nn.Module, torch.Tensor], rows: int | None) -> None:
    _check(*drawn, rows)


@settings(max_examples=150)
@given(drawn=_layers(transposed=True), rows=st.sampled_from([None, 1, 8, 64]), outputs=st.sampled_from([None, 2]))
def test_transposed_convolutions_of_all_kinds(
    drawn: tuple[nn.Module, torch.Tensor], rows: int | None, outputs: int | None
) -> None:
    _check(*drawn, rows, outputs)


@settings(max_examples=60)
@given(drawn=_layers(transposed=True), rows=st.sampled_from([None, 64]))
def test_transposed_convolutions_make_no_product_that_the_layer_does_not_make(
    drawn: tuple[nn.Module, torch.Tensor], rows: int | None
) -> None:
    """Products with an input, counted in the vectors of ones, against what a layer of ones sums up."""
    layer, x = drawn
    lowering = lower(layer, rows)
    assert lowering is not None
    assume(_fits(lowering, x))
    met = sum(
        int((vectors != 0).sum()) // (part.groups[1] - part.groups[0]) * (out.stop - out.start)
        for part, vectors in zip(lowering.parts, lowering.vectors(torch.ones_like(x)), strict=True)
        for out in [lowering.part_outputs(part)]
    )
    weight = torch.ones_like(layer.weight)
    function = nn.functional.conv_transpose1d if len(lowering.axes) == 1 else nn.functional.conv_transpose2d
    native = function(
        torch.ones_like(x),
        weight,
        None,
        layer.stride,
        layer.padding,
        layer.output_padding,
        layer.groups,
        layer.dilation,
    )
    assert met == int(native.sum())


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(4, 2, 1), (3, 3, 0), (2, 2, 0), (6, 2, 2)])
def test_phases_of_decoders_make_exactly_the_products_of_the_layer(kernel: int, stride: int, padding: int) -> None:
    """With outputs = stride x inputs, every phase has inputs x (kernel / stride)^2 products a channel: all of them."""
    layer = nn.ConvTranspose2d(6, 5, kernel, stride, padding)
    lowering = lower(layer)
    assert lowering is not None
    shape = (2, 6, 8, 8)
    native = 2 * 8 * 8 * 6 * 5 * kernel * kernel
    assert lowering.multiply_accumulates(shape) == native
    assert len(lowering.parts) == stride * stride
    assert all(lowering.rows(part) == 6 * (kernel // stride) ** 2 for part in lowering.parts)


@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 4, 7), (0, 7), (2, 0, 7)])
def test_linear_layers_with_any_leading_dimensions(shape: tuple[int, ...]) -> None:
    layer = nn.Linear(7, 5).double()
    _check(layer, torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)), None)


@settings(max_examples=40)
@given(drawn=st.one_of(_layers(transposed=False), _layers(transposed=True)))
def test_codes_and_floats_have_the_same_vectors(drawn: tuple[nn.Module, torch.Tensor]) -> None:
    layer, x = drawn
    lowering = lower(layer)
    assert lowering is not None
    assume(_fits(lowering, x))
    codes = (x * 40.0).clamp(-127, 127).to(torch.int8)
    for own, other in zip(lowering.vectors(codes), lowering.vectors(codes.double()), strict=True):
        assert own.dtype == torch.int8
        assert own.is_contiguous()
        assert torch.equal(own.double(), other)


@settings(max_examples=25)
@given(drawn=st.one_of(_layers(transposed=False), _layers(transposed=True)))
def test_gradients_are_those_of_the_layer(drawn: tuple[nn.Module, torch.Tensor]) -> None:
    layer, x = drawn
    lowering = lower(layer, rows=16)
    assert lowering is not None
    assume(_fits(lowering, x))
    layer.requires_grad_(True)
    grads = []
    for call in (layer, lambda x: _computed(lowering, layer, x)):
        layer.zero_grad()
        own = x.clone().requires_grad_(True)
        out = call(own)
        (out * torch.arange(out.numel(), dtype=out.dtype).reshape(out.shape).cos()).sum().backward()
        grads.append([own.grad, *(value.grad.clone() for value in layer.parameters())])
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_depthwise_groups_fill_a_tile() -> None:
    layer = nn.Conv2d(32, 32, 3, groups=32)
    lowering = lower(layer, rows=64)
    assert lowering is not None
    assert [part.groups for part in lowering.parts] == [(0, 7), (7, 14), (14, 21), (21, 28), (28, 32)]
    assert lowering.rows(lowering.parts[0]) == 63
    fewer = lower(layer, rows=64, outputs=4)
    assert fewer is not None
    assert len(fewer.parts) == 8
    shape = (1, 32, 9, 9)
    assert lowering.multiply_accumulates(shape) == 49 * 32 * 9 == fewer.multiply_accumulates(shape)


class _Doubled(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2.0 * super().forward(x)


class _Renamed(nn.Linear):
    pass


def test_what_is_no_supported_layer_is_not_taken_for_one() -> None:
    assert lower(nn.ReLU()) is None
    assert lower(nn.Conv3d(1, 1, 1)) is None
    assert lower(_Doubled(2, 2)) is None
    assert lower(_Renamed(2, 2)) is not None


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(4, 2), (3, 5)),
        (nn.Conv2d(3, 2, 3), (1, 4, 8, 8)),
        (nn.Conv2d(3, 2, 3), (1, 3, 2, 8)),
        (nn.Conv2d(3, 2, 3), (1, 1, 3, 8, 8)),
        (nn.Conv1d(3, 2, 3, padding=4, padding_mode="reflect"), (1, 3, 4)),
        (nn.ConvTranspose1d(3, 2, 1, padding=2), (1, 3, 4)),
    ],
)
def test_inputs_that_the_layer_would_refuse_are_refused(layer: nn.Module, shape: tuple[int, ...]) -> None:
    lowering = lower(layer)
    assert lowering is not None
    with pytest.raises(ArgumentError, match="input") as refusal:
        lowering.vectors(torch.zeros(shape))
    assert len(str(refusal.value).splitlines()) == 1
    assert math.prod(shape) > 0
