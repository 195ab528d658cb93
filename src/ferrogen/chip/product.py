"""The analog product: inputs onto word lines, differential currents off bit-line pairs, through the periphery.

One function serves one tile and a whole layer: row tiles are a batch dimension. Each row tile's pairs are digitised on
their own and the codes are added digitally.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.point import OperatingPoint
from ferrogen.circuit.converters import ADC
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.philox import addressed_normals
from ferrogen.device.transport.compact import effective_voltage


@dataclass(frozen=True, slots=True)
class ProductMatrices:
    """What a layer's tiles present to a product, ready to multiply.

    Attributes:
        mean: differential conductance [S], shape ``(row_tiles, rows, pairs)``, float32.
        variance: of it, from product to product [S^2], same shape.
        total: sum of a pair's two conductances [S], same shape.
        drive: current per conductance at full input [V] (V0 sinh(Vmax / V0)).
        offset: faulty offsets of the converters [steps], shape ``(row_tiles, 1, pairs)``; None: none has any.
        correction: what is subtracted from the sums of the row tiles' codes [steps], shape ``(pairs,)``; None: nothing.
    """

    mean: torch.Tensor
    variance: torch.Tensor
    total: torch.Tensor
    drive: float
    offset: torch.Tensor | None = None
    correction: torch.Tensor | None = None

    def electronic_noise(self, periphery: Periphery, point: OperatingPoint, mean_input: torch.Tensor) -> torch.Tensor:
        """Return the rms noise [A] that amplifier and shot noise add to every conversion, ``(row_tiles, 1, pairs)``.

        Args:
            periphery: circuits.
            point: operating point.
            mean_input: mean of the inputs' magnitude, which sets the shot noise, ``(row_tiles, 1, rows)``; or the
                magnitude of every input by itself, ``(row_tiles, batch, rows)``, and the result has a batch, too.
        """
        standing = torch.bmm(mean_input, self.total) * self.drive
        noise = periphery.multiply_amplifier.noise_current(point.multiply_time, point.temperature, standing.numpy())
        return torch.from_numpy(noise.astype(np.float32))


def split_rows(x: torch.Tensor, row_tiles: int, rows: int) -> torch.Tensor:
    """Reshape inputs ``(batch, features)`` to ``(row_tiles, batch, rows)``, padding with zero inputs."""
    padding = row_tiles * rows - x.shape[1]
    padded = torch.nn.functional.pad(x, (0, padding)) if padding else x
    return padded.reshape(x.shape[0], row_tiles, rows).transpose(0, 1)


def drive_inputs(x: torch.Tensor, periphery: Periphery, voltage: float, characteristic_voltage: float) -> torch.Tensor:
    """Return what the cells see of inputs in [-1, 1], as a share of the full drive."""
    coded: torch.Tensor = periphery.dac.quantise(x)
    if periphery.dac.driver == "sinh-compensated":
        return coded
    full = float(effective_voltage(voltage, characteristic_voltage))
    return characteristic_voltage / full * torch.sinh(coded * (voltage / characteristic_voltage))


def analog_product(
    x: torch.Tensor,
    matrices: ProductMatrices,
    electronic_noise: torch.Tensor,
    periphery: Periphery,
    full_scale: float,
    point: OperatingPoint,
    characteristic_voltage: float,
    *,
    noise_key: np.uint64,
    images: NDArray[np.int64],
) -> tuple[torch.Tensor, int]:
    """Multiply at the statistical level: exact mean, and output noise with exactly the cells' variance.

    Args:
        x: inputs in [-1, 1], shape ``(batch, features)``, float32.
        matrices: of the layer at this operating point.
        electronic_noise: of its conversions (:meth:`ProductMatrices.electronic_noise`) [A].
        periphery: circuits.
        full_scale: of integrator and converter [A].
        point: operating point.
        characteristic_voltage: of the card [V].
        noise_key: stream key of this layer's product noise.
        images: address of every row of ``x``; the noise of a row depends on nothing else.

    Returns:
        (differential currents summed over row tiles [A], shape ``(batch, pairs)``; number of clipped conversions).
    """
    row_tiles, rows, pairs = matrices.mean.shape
    seen = split_rows(drive_inputs(x, periphery, point.multiply_voltage, characteristic_voltage), row_tiles, rows)
    current = torch.bmm(seen, matrices.mean).mul_(matrices.drive)
    variance = torch.bmm(seen.square(), matrices.variance).mul_(matrices.drive**2).add_(electronic_noise.square())
    normals = torch.from_numpy(addressed_normals(noise_key, images, row_tiles * pairs))
    current += normals.reshape(x.shape[0], row_tiles, pairs).transpose(0, 1) * variance.sqrt_()
    return digitise(current, periphery, full_scale, matrices.offset, matrices.correction)


def converter_step(periphery: Periphery, full_scale: float) -> float:
    """Return the step of the multiply mode's converter [A]; an ideal one has none, and no offset of so many steps."""
    adc = periphery.multiply_adc
    return full_scale / (2 ** (adc.bits - 1) - 1) if isinstance(adc, ADC) else 0.0


def digitise(
    current: torch.Tensor,
    periphery: Periphery,
    full_scale: float,
    offset: torch.Tensor | None = None,
    correction: torch.Tensor | None = None,
) -> tuple[torch.Tensor, int]:
    """Integrate and convert differential currents ``(row_tiles, batch, pairs)`` [A], and add the row tiles' codes.

    Faulty offsets of the converters enter before conversion, corrections [steps] after it.
    """
    clipped = int((current.abs() > full_scale).sum())
    held = periphery.integrator.saturate(current, full_scale)
    if offset is not None:
        held = held + offset * converter_step(periphery, full_scale)
    codes = periphery.multiply_adc.quantise(held, full_scale).sum(dim=0)
    if correction is not None:
        codes = codes - correction * converter_step(periphery, full_scale)
    return codes, clipped


def cell_product(  # noqa: D417 (the arguments it shares are described once)
    x: torch.Tensor,
    conductances: torch.Tensor,
    electronic_noise: torch.Tensor,
    periphery: Periphery,
    full_scale: float,
    point: OperatingPoint,
    characteristic_voltage: float,
    drive: float,
    *,
    noise_key: np.uint64,
    images: NDArray[np.int64],
    offset: torch.Tensor | None = None,
    correction: torch.Tensor | None = None,
) -> tuple[torch.Tensor, int]:
    """Multiply at the cell level: every image with its own conductances.

    Args:
        x: these and the other arguments not listed are as in :func:`analog_product`.
        conductances: differential conductance [S] of every cell in every image's read, ``(batch, row_tiles, rows,
        pairs)``.
        drive: as in :class:`ProductMatrices` [V]; likewise ``offset`` and ``correction`` [steps].
    """
    batch, row_tiles, rows, pairs = conductances.shape
    seen = split_rows(drive_inputs(x, periphery, point.multiply_voltage, characteristic_voltage), row_tiles, rows)
    current = torch.einsum("tbr,btrp->tbp", seen, conductances) * drive
    normals = torch.from_numpy(addressed_normals(noise_key, images, row_tiles * pairs))
    current += normals.reshape(batch, row_tiles, pairs).transpose(0, 1) * electronic_noise
    return digitise(current, periphery, full_scale, offset, correction)
