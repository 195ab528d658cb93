"""What a layer's tiles present to fast products: tensors only, so that they can be saved, exported and stacked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch

from ferrogen.chip.engine.digits import mean_digits, variance_digits
from ferrogen.chip.product import ProductMatrices
from ferrogen.chip.readout import Readout
from ferrogen.circuit.converters import ADC, DAC, IdealADC
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.readout.input_encoding import PulseWidth

_MOST_INPUT_BITS = 8  # a code is one signed byte
_MOST_OUTPUT_BITS = 16  # sums of codes stay exact in single precision
_WHOLE = ("input_levels", "output_levels")


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A grid of tiles at one operating point, with the ranges of its converters.

    References are bit lines that several outputs subtract (an offset column); their variances follow those of the
    outputs wherever ``lines`` (outputs + references) are meant.

    Attributes:
        mean: differential current at full input [A], shape ``(row_tiles, rows, outputs)``, float32.
        variance: of it from product to product [A^2], same shape; without what references add.
        noise: rms of amplifier and shot noise in a conversion [A], shape ``(row_tiles, outputs)``.
        full_scale: of integrator and converter [A], shape ``()``; the steps below are shares of it.
        key: of the stream of the layer's noise, shape ``()``, int64 (the bits of the unsigned key).
        mean_digits: int8, ``(row_tiles, 2 outputs, rows)``: the high bytes of all outputs, then the low ones.
        mean_step: share of the full scale of one unit of code times low byte, ``(row_tiles, outputs)``.
        variance_digits: int8, ``(row_tiles, lines, 2 rows)``: low digits of all rows, then high ones, base 128.
        variance_step: share of the full scale's square of one unit of a squared code's high digit times low
            digit, ``(row_tiles, lines)``.
        strongest_rows: rows of the cells with the largest variances, which the digits leave out, int64,
            ``(row_tiles, lines, strongest)``.
        strongest_variance: of those cells, for a code of one, as a share of the full scale's square, same shape.
        input_levels: largest input code, at most 127.
        output_levels: largest output code; 0: an ideal converter, which neither rounds nor clips.
        reference_variance: of reference lines [A^2], ``(row_tiles, rows, references)``; None: there are none.
        reference_of: which reference an output subtracts, int64, ``(outputs,)``; -1: none.
    """

    mean: torch.Tensor
    variance: torch.Tensor
    noise: torch.Tensor
    full_scale: torch.Tensor
    key: torch.Tensor
    mean_digits: torch.Tensor
    mean_step: torch.Tensor
    variance_digits: torch.Tensor
    variance_step: torch.Tensor
    strongest_rows: torch.Tensor
    strongest_variance: torch.Tensor
    input_levels: int
    output_levels: int
    reference_variance: torch.Tensor | None = None
    reference_of: torch.Tensor | None = None

    @property
    def inputs(self) -> int:
        """Word lines of all row tiles together."""
        return int(self.mean.shape[-3] * self.mean.shape[-2])

    @property
    def outputs(self) -> int:
        """Pairs of bit lines."""
        return int(self.mean.shape[-1])

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all tensors by name (those that are None are left out), e.g. to register them as buffers."""
        named = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: value for name, value in named.items() if name not in _WHOLE and value is not None}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor], input_levels: int, output_levels: int) -> Self:
        """Put together again what :meth:`tensors` gave.

        Args:
            tensors: by name; on any device; with a leading dimension of chips under ``torch.func.vmap``.
            input_levels: as the attribute.
            output_levels: as the attribute.
        """
        return cls(**tensors, input_levels=input_levels, output_levels=output_levels)


def _input_levels(periphery: Periphery) -> int:
    return 2 ** (periphery.dac.bits - 1) - 1 if isinstance(periphery.dac, DAC | PulseWidth) else 0


def has_fast_product(periphery: Periphery, readout: Readout | None, matrices: ProductMatrices) -> bool:
    """Say whether products need nothing but codes, moments and a perfect quantiser: all that this room computes.

    Inputs must be at most 8 bits in one plane that cells see linearly, outputs at most 16; circuits must have no errors
    of their own.
    """
    dac, adc = periphery.dac, periphery.multiply_adc
    linear = isinstance(dac, PulseWidth) or (
        isinstance(dac, DAC) and dac.driver == "sinh-compensated" and dac.driver_mismatch == 0.0
    )
    return (
        linear
        and _input_levels(periphery) < 2 ** (_MOST_INPUT_BITS - 1)
        and (isinstance(adc, IdealADC) or (isinstance(adc, ADC) and adc.bits <= _MOST_OUTPUT_BITS))
        and readout is None
        and matrices.offset is None
        and matrices.correction is None
    )


def prepare(
    matrices: ProductMatrices,
    noise: torch.Tensor,
    periphery: Periphery,
    full_scale: float,
    key: np.uint64,
    *,
    reference_variance: torch.Tensor | None = None,
    reference_of: torch.Tensor | None = None,
) -> Prepared:
    """Make a layer's tiles ready.

    Args:
        matrices: of the layer at the operating point.
        noise: rms of its conversions' electronic noise [A], ``(row_tiles, 1, outputs)``.
        periphery: circuits, with :func:`has_fast_product`.
        full_scale: of integrator and converter [A].
        key: of the stream of the layer's noise.
        reference_variance: of the conductances of lines that several outputs subtract [S^2],
            ``(row_tiles, rows, references)``; their means belong to ``matrices.mean`` already.
        reference_of: which of them an output subtracts, int64, ``(outputs,)``; -1: none.
    """
    return prepare_currents(
        matrices.mean * matrices.drive,
        matrices.variance * matrices.drive**2,
        noise[:, 0],
        full_scale,
        key,
        input_levels=_input_levels(periphery),
        output_levels=2 ** (periphery.multiply_adc.bits - 1) - 1 if isinstance(periphery.multiply_adc, ADC) else 0,
        reference_variance=None if reference_variance is None else reference_variance * matrices.drive**2,
        reference_of=reference_of,
    )


def prepare_currents(
    mean: torch.Tensor,
    variance: torch.Tensor,
    noise: torch.Tensor,
    full_scale: float,
    key: np.uint64,
    *,
    input_levels: int,
    output_levels: int,
    reference_variance: torch.Tensor | None = None,
    reference_of: torch.Tensor | None = None,
) -> Prepared:
    """Make moments of currents ready; arguments and their units are as the attributes of :class:`Prepared`."""
    lines = variance if reference_variance is None else torch.cat([variance, reference_variance], dim=2)
    whole, whole_step = mean_digits(mean, input_levels * full_scale)
    parts, parts_step, rows, strongest = variance_digits(lines, input_levels * full_scale)
    return Prepared(
        mean=mean.contiguous(),
        variance=variance.contiguous(),
        noise=noise.to(torch.float32).clone(),
        full_scale=torch.tensor(full_scale, dtype=torch.float32),
        key=torch.tensor(int(np.uint64(key).astype(np.int64)), dtype=torch.int64),
        mean_digits=whole,
        mean_step=whole_step,
        variance_digits=parts,
        variance_step=parts_step,
        strongest_rows=rows,
        strongest_variance=strongest,
        input_levels=input_levels,
        output_levels=output_levels,
        reference_variance=reference_variance,
        reference_of=reference_of,
    )
