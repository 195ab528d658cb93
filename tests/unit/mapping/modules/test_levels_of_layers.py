"""Layers at the statistical level against the cell level, over shapes, strides, groups, tiles."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.amplifier import IdealAmplifier
from ferrogen.circuit.converters import IdealADC
from ferrogen.circuit.periphery import Periphery
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.mapping.modules import AnalogLayer, map_layer
from ferrogen.mapping.modules.analog_layer import FloatLayer

FALSE_ALARM = 1e-3
IMAGES = 200


def _quick_card() -> DeviceCard:
    """Return a card whose traps forget from image to image: images are then independent at both levels."""
    card = load_card("hzo-3nm-direct")
    times = card.trap_time_constant
    spread = times.spread.model_copy(update={"low": 1e-5, "high": 1e-4})
    return card.model_copy(update={"trap_time_constant": times.model_copy(update={"spread": spread})})


@st.composite
def _drawn(draw: st.DrawFn) -> tuple[FloatLayer, tuple[int, ...], ChipSpec]:
    spec = ChipSpec(
        rows=draw(st.sampled_from([3, 16])),
        columns=draw(st.sampled_from([2, 8])),
        tiles=400,
        periphery=Periphery(multiply_adc=IdealADC(), multiply_amplifier=IdealAmplifier()),
    )
    groups, dilation, stride = draw(st.sampled_from([1, 2])), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["linear", "convolution", "transposed"]))
    if kind == "linear":
        return nn.Linear(9, 4), (9,), spec
    if kind == "convolution":
        layer: FloatLayer = nn.Conv1d(4, 4, 2, stride, 1, dilation, groups)
    else:
        extra = draw(st.integers(0, max(stride, dilation) - 1))
        layer = nn.ConvTranspose1d(4, 4, 3, stride, 1, extra, groups, dilation=dilation)
    return layer, (4, 4), spec


def _outputs(layer: AnalogLayer, x: torch.Tensor) -> np.ndarray:
    """Return the outputs of one input in many images, ``(images, channels, positions)``."""
    made: np.ndarray = layer(x.expand(IMAGES, *x.shape)).double().reshape(IMAGES, 4, -1).numpy()
    return made


@settings(max_examples=5)
@given(drawn=_drawn(), seed=st.integers(0, 1000))
def test_both_levels_have_the_same_moments(drawn: tuple[FloatLayer, tuple[int, ...], ChipSpec], seed: int) -> None:
    """Means of all outputs; squares, and products of neighbouring channels, summed over a layer's standardised outputs.

    All by z with standard errors from the images, which are independent at both levels; Bonferroni. Positions of an
    image share their cells at the cell level and are not compared with one another: a sum over them is one number.
    """
    layer, shape, spec = drawn
    layer = layer.eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for value in layer.parameters():
        value.normal_(generator=generator)
    chip = Chip(_quick_card(), seed=seed, spec=spec)
    mapped = map_layer(layer, chip, OperatingPoint.for_card(chip.device))
    mapped.calibrate(torch.randn((64, *shape), generator=generator))
    x = torch.randn(shape, generator=generator)
    statistical = _outputs(mapped, x)
    mapped.fidelity = "cell"
    mapped._outside[0].seek(0)
    cell = _outputs(mapped, x)
    deviation = statistical.std(axis=0)
    noisy = deviation > 0.0  # positions without inputs, or with zeros, have the bias alone
    assert np.array_equal(cell.std(axis=0) > 1e-9, deviation > 1e-9)
    limit = float(stats.norm.isf(FALSE_ALARM / 2 / (noisy.sum() + 2)))
    # Fast products round mean conductances to 2^-15 of an output's largest one.
    rounding = float(layer.weight.abs().max() * x.square().sum().sqrt()) * 2.0**-15 / 12.0**0.5
    error = np.sqrt((statistical.var(axis=0) + cell.var(axis=0)) / IMAGES + rounding**2)
    assert np.all(np.abs(statistical.mean(axis=0) - cell.mean(axis=0)) <= limit * error)
    sums = []
    for made in (statistical, cell):
        standard = np.divide(made - made.mean(axis=0), deviation, out=np.zeros_like(made), where=noisy)
        neighbours = standard * np.roll(standard, 1, axis=1)
        sums.append(np.stack([(standard**2).sum(axis=(1, 2)), neighbours.sum(axis=(1, 2))]))
    difference = sums[0].mean(axis=1) - sums[1].mean(axis=1)
    assert np.all(np.abs(difference) <= limit * np.sqrt((sums[0].var(axis=1) + sums[1].var(axis=1)) / IMAGES))
