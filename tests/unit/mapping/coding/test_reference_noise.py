"""Offset columns: the noise of a reference line is common to all outputs that subtract it, and to no others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.amplifier import IdealAmplifier
from ferrogen.circuit.converters import ADC, DAC
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.readout.input_encoding import BitSerial
from ferrogen.mapping.coding import CodingSpec
from ferrogen.mapping.layer import AnalogLinear, map_matrices

POINT = OperatingPoint(multiply_voltage=0.5)
OUTPUTS, INPUTS, VECTORS = 15, 40, 6000


def _layer(references: int, periphery: Periphery) -> tuple[AnalogLinear, torch.Tensor]:
    """Return a layer on two row tiles and two column blocks, and one input vector."""
    generator = np.random.default_rng(5)
    chip = Chip("hzo-mfis-nor", seed=3, spec=ChipSpec(rows=24, columns=12, periphery=periphery))
    coding = CodingSpec("offset-column", references=references)
    weight = generator.normal(size=(OUTPUTS, INPUTS))
    (layer,) = map_matrices(chip, [weight], [np.zeros(OUTPUTS)], coding=coding)
    layer.calibrate(torch.from_numpy(generator.normal(size=(64, INPUTS)).astype(np.float32)), POINT)
    return layer, torch.from_numpy(generator.normal(size=(1, INPUTS)).astype(np.float32))


def _expected(layer: AnalogLinear, x: torch.Tensor) -> np.ndarray:
    """Return the covariance of the outputs by the cells' variances, one by one."""
    references = layer.blocks.references
    steps = np.clip(np.rint(x[0].double().numpy() / layer.input_scale * 127), -127, 127) / 127
    covariance = np.zeros((OUTPUTS, OUTPUTS))
    matrices = layer.matrices(POINT)
    row_start = 0
    for row in layer.blocks.blocks:
        start = 0
        for block, wanted in zip(row, layer.blocks.conversions, strict=True):
            cells = layer.chip.tile(block.tile).product_statistics(POINT).variance[block.of_rows, block.of_lines]
            square = (steps[row_start : row_start + block.rows] * matrices.drive) ** 2 @ cells
            of_block = slice(start, start + wanted)
            covariance[of_block, of_block] += square[:references].sum() / references**2
            covariance[of_block, of_block] += np.diag(square[references : references + wanted])
            start += wanted
        row_start += row[0].rows
    scale = layer.scale.double().numpy() * (layer.input_scale / matrices.drive)
    return covariance * scale * scale[:, None]


@pytest.mark.parametrize(
    ("way", "references"), [("fast", 1), ("fast", 3), ("general", 1), ("general", 3), ("bit-serial", 2)]
)
def test_covariance_of_outputs_is_that_of_the_cells(way: str, references: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 120 standardised covariances the largest is below 4.8 (false alarm < 2e-4 each way)."""
    dac = BitSerial(8) if way == "bit-serial" else DAC(8)
    periphery = Periphery(multiply_adc=ADC(16), dac=dac, multiply_amplifier=IdealAmplifier())
    layer, x = _layer(references, periphery)
    if way == "general":
        monkeypatch.setattr("ferrogen.mapping.analog_linear.has_fast_product", lambda *_: False)
    assert (layer.prepared(POINT) is not None) == (way == "fast")
    out = layer.multiply(x.expand(VECTORS, -1), POINT, torch.arange(VECTORS)).double().numpy()
    got, wanted = np.cov(out.T), _expected(layer, x)
    error = np.sqrt((np.outer(np.diag(wanted), np.diag(wanted)) + wanted**2) / VECTORS)
    assert np.abs((got - wanted) / error).max() < 4.8
    # The common noise shows: 11 (or fewer) outputs of a block beside those of the other.
    common = wanted[: layer.blocks.conversions[0], : layer.blocks.conversions[0]]
    assert np.median(common[0, 1:] / error[0, 1 : common.shape[0]]) > 5.0
    assert np.all(wanted[: common.shape[0], common.shape[0] :] == 0.0)
