"""Layers on tiles: what they compute, their addresses, ranges and state, and what PyTorch can do with them."""

from __future__ import annotations

import copy
import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import nn

from ferrogen.array.programming import IdealProgramming
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import ArgumentError
from ferrogen.mapping.layer import Fidelity
from ferrogen.mapping.modules import AnalogLayer, Clock, map_layer
from ferrogen.mapping.modules.analog_layer import FloatLayer
from ferrogen.mapping.modules.typical import spread

SPEC = ChipSpec(rows=32, columns=32, tiles=64)
IDEAL = ChipSpec(32, 32, 64, programming=IdealProgramming(), continuous_levels=True, periphery=Periphery.ideal())


def _float(maker: type[nn.Module], *arguments: object, **options: object) -> FloatLayer:
    """Return a layer with weights of its own, drawn without torch's global generator."""
    layer = maker(*arguments, **options).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(4)
    for value in layer.parameters():
        value.normal_(std=0.3, generator=generator)
    return layer  # type: ignore[return-value]


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _mapped(
    layer: FloatLayer, x: torch.Tensor | None, seed: int = 1, fidelity: Fidelity = "statistical"
) -> AnalogLayer:
    chip = Chip("hzo-mfis-nor", seed=seed, spec=SPEC)
    made = map_layer(layer, chip, OperatingPoint.for_card(chip.device), clock=Clock(), fidelity=fidelity)
    if x is not None:
        made.calibrate(x)
    return made


def _seek(layer: AnalogLayer, image: int = 0) -> AnalogLayer:
    layer._outside[0].seek(image)
    return layer


LAYERS: dict[str, tuple[FloatLayer, torch.Tensor]] = {
    "linear": (_float(nn.Linear, 40, 20), _random(6, 40)),
    "linear, more dimensions": (_float(nn.Linear, 10, 20, bias=False), _random(6, 3, 2, 10)),
    "strided": (_float(nn.Conv1d, 3, 5, 4, stride=3, padding=2, padding_mode="circular"), _random(6, 3, 17)),
    "dilated": (_float(nn.Conv2d, 3, 20, (3, 2), dilation=(1, 2), padding="same"), _random(6, 3, 5, 6)),
    "depthwise": (_float(nn.Conv2d, 12, 12, 3, padding=1, groups=12, padding_mode="reflect"), _random(6, 12, 5, 4)),
    "transposed": (_float(nn.ConvTranspose2d, 10, 5, 4, 2, 1), _random(6, 10, 4, 3)),
    "odd transposed": (
        _float(nn.ConvTranspose1d, 4, 6, 3, stride=4, output_padding=2, dilation=3, groups=2), _random(6, 4, 5)
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", LAYERS)
def test_ideal_chips_reproduce_torch_to_single_precision(kind: str) -> None:
    layer, x = LAYERS[kind]
    chip = Chip("ideal", seed=1, spec=IDEAL)
    mapped = map_layer(layer, chip, OperatingPoint.for_card(chip.device))
    calibrated, wanted = mapped.calibrate(x), layer(x)
    assert torch.equal(calibrated, wanted)
    for given_, out in ((x, wanted), (x[0], layer(x[0]))):
        made = mapped(given_)
        assert made.shape == out.shape
        assert made.is_contiguous()
        torch.testing.assert_close(made, out, rtol=2e-6, atol=4e-6 * float(wanted.abs().max()))


@pytest.mark.parametrize("kind", LAYERS)
def test_noisy_chips_come_close_to_torch_and_never_give_the_same_twice(kind: str) -> None:
    layer, x = LAYERS[kind]
    mapped = _mapped(layer, x)
    first, second, wanted = mapped(x), mapped(x), layer(x)
    assert 0.003 < float((first - wanted).std() / wanted.std()) < 0.15
    assert not torch.equal(first, second)
    assert torch.equal(_seek(mapped)(x), first)
    assert torch.equal(mapped(x), second)


@settings(max_examples=25)
@given(kind=st.sampled_from(sorted(LAYERS)), split=st.integers(1, 5), threads=st.sampled_from([1, 2]))
def test_bits_depend_on_images_alone(kind: str, split: int, threads: int) -> None:
    mapped, x = _kept(kind), LAYERS[kind][1]
    whole = _seek(mapped)(x)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        parts = [_seek(mapped, split)(x[split:]), _seek(mapped)(x[:split])]  # in any order
    finally:
        torch.set_num_threads(before)
    assert torch.equal(torch.cat(parts[::-1]), whole)


@functools.cache
def _kept(kind: str) -> AnalogLayer:
    return _mapped(*LAYERS[kind])


def test_layers_do_not_depend_on_the_order_in_which_they_are_called() -> None:
    """Of two layers of one clock: each has a stream of its own; two calls of one layer have different noise."""
    layer, x = LAYERS["linear"]
    chip, clock = Chip("hzo-mfis-nor", seed=1, spec=SPEC), Clock()
    point = OperatingPoint.for_card(chip.device)
    pair = [map_layer(layer, chip, point, clock=clock, name=str(k)) for k in range(2)]
    for made in pair:
        made.calibrate(x)
    with clock.forward_of(6):
        first = [made(x) for made in pair] + [pair[0](x)]
    clock.seek(0)
    with clock.forward_of(6):
        second = [made(x) for made in pair[::-1]][::-1]
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], first[2])


def test_images_need_not_come_first() -> None:
    """A sequence-first input, and one whose images fold windows: ranges set with two batches tell which it is."""
    layer, clock = _float(nn.Linear, 10, 8), Clock()
    for shape, cut in (((5, 4, 10), lambda x, a, b: x[:, a:b]), ((12, 7, 10), lambda x, a, b: x[3 * a : 3 * b])):
        chip, x = Chip("hzo-mfis-nor", seed=1, spec=SPEC), _random(*shape)
        mapped = map_layer(layer, chip, OperatingPoint.for_card(chip.device), clock=clock)
        for images in (4, 3):
            with clock.forward_of(images):
                mapped.observe(cut(x, 0, images))
        mapped.settle()
        made = []
        for first, last in ((0, 4), (0, 1), (1, 4)):
            clock.seek(first)
            with clock.forward_of(last - first):
                made.append(mapped(cut(x, first, last)))
        assert torch.equal(cut(made[0], 0, 1), made[1])
        assert torch.equal(cut(made[0], 1, 4), made[2])


def test_long_batches_are_made_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = LAYERS["transposed"]
    whole = _seek(_kept("transposed"))(x)
    monkeypatch.setattr("ferrogen.mapping.modules.analog_layer._CHUNK", 1)
    assert torch.equal(_seek(_kept("transposed"))(x), whole)
    assert layer(x[:0]).shape == _kept("transposed")(x[:0]).shape


@pytest.mark.parametrize("fidelity", ["statistical", "cell"])
def test_a_saved_state_says_it_all(fidelity: Fidelity) -> None:
    """Through safetensors into a fresh module; at the statistical level even on another chip."""
    layer, x = LAYERS["transposed"]
    mapped = _mapped(layer, x, fidelity=fidelity)
    wanted = mapped(x)
    fresh = _mapped(copy.deepcopy(layer), None, seed=2 if fidelity == "statistical" else 1, fidelity=fidelity)
    fresh.load_state_dict(load(save(mapped.state_dict())))
    fresh.adopt()
    assert torch.equal(fresh(x), wanted)


class _Net(nn.Module):
    def __init__(self, mapped: AnalogLayer) -> None:
        super().__init__()
        self.clock, self.mapped = mapped._outside[0], mapped

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with self.clock.forward_of(x.shape[0]):
            return torch.relu(self.mapped(x))


def test_exported_layers_compute_the_same_for_any_batch() -> None:
    layer, x = LAYERS["transposed"]
    net = _Net(_seek(_mapped(layer, x))).eval()
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(net, (x,), dynamic_shapes=({0: batch},), strict=False)
    net.clock.seek(0)
    wanted = net(x)
    module = program.module()
    module.clock.next_image.zero_()  # type: ignore[operator, union-attr]
    assert torch.equal(torch.cat([module(x[:4]), module(x[4:])]), wanted)
    assert int(module.clock.next_image) == 6  # type: ignore[arg-type, union-attr]


def test_virtual_chips_are_stacked() -> None:
    layer, x = LAYERS["strided"]
    nets = [_Net(_mapped(layer, x, seed)).eval() for seed in (1, 2, 3)]
    state = torch.func.stack_module_state(nets)  # type: ignore[arg-type]

    def call(parameters: object, buffers: object) -> torch.Tensor:
        return torch.func.functional_call(nets[0], (parameters, buffers), (x,))  # type: ignore[arg-type, return-value]

    stacked = torch.vmap(call)(*state)
    for out, net in zip(stacked, nets, strict=True):
        assert torch.equal(out, net(x))
    assert not torch.equal(stacked[0], stacked[1])


def test_half_precision_is_that_of_inputs_and_outputs_alone() -> None:
    layer, x = LAYERS["linear"]
    mapped = _mapped(copy.deepcopy(layer), x)
    wanted = mapped(x.half().float())
    made = _seek(mapped.half())(x.half())
    assert made.dtype == torch.float16
    assert {buffer.dtype for buffer in mapped.buffers()} == {torch.float32, torch.int64, torch.int8}
    torch.testing.assert_close(made.float(), wanted, rtol=2e-3, atol=2e-3)
    assert _mapped(copy.deepcopy(layer), x).double()(x.double()).dtype == torch.float64


def test_what_was_clipped_is_counted() -> None:
    """Against a count of inputs beyond the range; with a hundredfold input all of them clip."""
    layer, x = LAYERS["strided"]
    mapped = _mapped(layer, x)
    scale = float(mapped.input_scale)
    mapped(x)
    assert int(mapped.clipped_inputs) == int((x.abs() > scale).sum())
    assert int(mapped.vectors) == 6 * 6
    before = int(mapped.clipped_conversions)
    mapped(100.0 * x)
    assert int(mapped.clipped_inputs) > 0.9 * x.numel()
    assert int(mapped.clipped_conversions) - before > 10
    assert not any("clipped" in name for name in mapped.state_dict())


@settings(max_examples=40)
@given(rows=st.integers(1, 20_000), count=st.integers(4, 300))
def test_typical_rows_are_spread_over_all(rows: int, count: int) -> None:
    """No gap between rows kept is longer than thrice the mean, and the first quarter of them is spread, too."""
    kept = spread(torch.arange(rows), count)
    if rows <= count:
        assert kept.tolist() == list(range(rows))
        return
    for some in (kept, kept[: len(kept) // 4]):
        places = np.concatenate([[0], np.sort(some.numpy()), [rows - 1]])
        assert np.diff(places).max() <= 3 * rows / len(some) + 1


def _uncalibrated(layer: AnalogLayer, x: torch.Tensor) -> None:
    _mapped(LAYERS["linear"][0], None)(x)


def _whole_numbers(layer: AnalogLayer, x: torch.Tensor) -> None:
    layer(x.long())


def _elsewhere(layer: AnalogLayer, x: torch.Tensor) -> None:
    layer(x.to("meta"))


def _sized(layer: AnalogLayer, x: torch.Tensor) -> None:
    layer(x, (1, 2))


def _wrong_shape(layer: AnalogLayer, x: torch.Tensor) -> None:
    layer(x[:, 1:])


def _not_finite(layer: AnalogLayer, x: torch.Tensor) -> None:
    layer.calibrate(x / 0.0)


def _unseen(layer: AnalogLayer, x: torch.Tensor) -> None:
    layer.settle()


def _unknown_fidelity(layer: AnalogLayer, x: torch.Tensor) -> None:
    _mapped(LAYERS["linear"][0], None, fidelity="exact")  # type: ignore[arg-type]


def _no_layer(layer: AnalogLayer, x: torch.Tensor) -> None:
    map_layer(nn.ReLU(), Chip("hzo-mfis-nor", spec=SPEC), OperatingPoint())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("misuse", "message"),
    [
        (_uncalibrated, r"calibrate\(inputs\)"), (_whole_numbers, "float type"), (_elsewhere, "device of layer"),
        (_sized, "output_size"), (_wrong_shape, "40 features"), (_not_finite, "finite"), (_unseen, "never there"),
        (_unknown_fidelity, "'statistical' or 'cell'"), (_no_layer, "ConvTranspose2d"),
    ],
)  # fmt: skip
def test_misuse_is_told_in_one_line(misuse: object, message: str) -> None:
    layer, x = LAYERS["linear"]
    with pytest.raises(ArgumentError, match=message) as refusal:
        misuse(_mapped(layer, x), x)  # type: ignore[operator]
    assert len(str(refusal.value).splitlines()) == 1


def test_products_are_in_the_chips_record_of_use() -> None:
    layer, x = LAYERS["linear"]
    mapped = _mapped(layer, x)
    part = mapped.parts[0].linear
    before, clipped = replace(part.chip.usage), int(mapped.clipped_conversions)
    mapped(x)
    made = part.chip.usage.since(before)
    before = replace(part.chip.usage)
    part.count(x.shape[0], int(mapped.clipped_conversions) - clipped)
    assert made == part.chip.usage.since(before)
    assert made.products == x.shape[0]
    assert made.cell_power > 0.0
