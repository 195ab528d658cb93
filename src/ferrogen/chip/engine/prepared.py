"""What a layer's tiles present to fast products: tensors only, so that they can be saved, exported and stacked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ferrogen.chip.product import ProductMatrices
from ferrogen.chip.readout import Readout
from ferrogen.circuit.converters import ADC, DAC, IdealADC
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.readout.input_encoding import PulseWidth

_MOST_INPUT_BITS = 8  # a code is one signed byte


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A grid of tiles at one operating point, with the ranges of its converters.

    Attributes:
        mean: differential current at full input [A], shape ``(row_tiles, rows, outputs)``, float32.
        variance: of it from product to product [A^2], same shape.
        noise: rms of amplifier and shot noise in a conversion [A], shape ``(row_tiles, outputs)``.
        full_scale: of integrator and converter [A], shape ``()``.
        key: of the stream of the layer's noise, shape ``()``, int64 (the bits of the unsigned key).
        input_levels: largest input code, at most 127.
        output_levels: largest output code; 0: an ideal converter, which neither rounds nor clips.
    """

    mean: torch.Tensor
    variance: torch.Tensor
    noise: torch.Tensor
    full_scale: torch.Tensor
    key: torch.Tensor
    input_levels: int
    output_levels: int

    @property
    def inputs(self) -> int:
        """Word lines of all row tiles together."""
        return int(self.mean.shape[0] * self.mean.shape[1])

    @property
    def outputs(self) -> int:
        """Pairs of bit lines."""
        return int(self.mean.shape[2])


def _input_levels(periphery: Periphery) -> int:
    return 2 ** (periphery.dac.bits - 1) - 1 if isinstance(periphery.dac, DAC | PulseWidth) else 0


def has_fast_product(periphery: Periphery, readout: Readout | None, matrices: ProductMatrices) -> bool:
    """Say whether products need nothing but codes, moments and a perfect quantiser: all that this room computes.

    Inputs must be at most 8 bits in one plane that cells see linearly; circuits must have no errors of their own.
    """
    dac = periphery.dac
    linear = isinstance(dac, PulseWidth) or (
        isinstance(dac, DAC) and dac.driver == "sinh-compensated" and dac.driver_mismatch == 0.0
    )
    return (
        linear
        and _input_levels(periphery) < 2 ** (_MOST_INPUT_BITS - 1)
        and isinstance(periphery.multiply_adc, ADC | IdealADC)
        and readout is None
        and matrices.offset is None
        and matrices.correction is None
    )


def prepare(
    matrices: ProductMatrices, noise: torch.Tensor, periphery: Periphery, full_scale: float, key: np.uint64
) -> Prepared:
    """Make a layer's tiles ready.

    Args:
        matrices: of the layer at the operating point.
        noise: rms of its conversions' electronic noise [A], ``(row_tiles, 1, outputs)``.
        periphery: circuits, with :func:`has_fast_product`.
        full_scale: of integrator and converter [A].
        key: of the stream of the layer's noise.
    """
    adc = periphery.multiply_adc
    return Prepared(
        mean=matrices.mean * matrices.drive,
        variance=matrices.variance * matrices.drive**2,
        noise=noise[:, 0].clone(),
        full_scale=torch.tensor(full_scale),
        key=torch.tensor(int(key.astype(np.int64)), dtype=torch.int64),
        input_levels=_input_levels(periphery),
        output_levels=2 ** (adc.bits - 1) - 1 if isinstance(adc, ADC) else 0,
    )
