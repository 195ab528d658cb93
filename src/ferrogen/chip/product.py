"""The analog product: inputs onto word lines, differential currents off bit-line pairs, through the periphery.

One function serves one tile and a whole layer: row tiles are a batch dimension. Each row tile's pairs are digitised on
their own and the codes are added digitally.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.readout import Readout
from ferrogen.circuit.converters import IdealADC
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.readout.drivers import seen_share
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
        loading: conductance [S] of all cells on a pair's lines, those of rows that are not driven included, shape
            ``(row_tiles, 1, pairs)``; None: all rows are driven.
        reference_variance: variance of the reference lines that several outputs subtract [S^2], shape ``(row_tiles,
            rows, references)``; their means belong to ``mean`` already. None: there are none.
        reference_of: which of them each output subtracts, int64, shape ``(pairs,)``.
    """

    mean: torch.Tensor
    variance: torch.Tensor
    total: torch.Tensor
    drive: float
    offset: torch.Tensor | None = None
    correction: torch.Tensor | None = None
    loading: torch.Tensor | None = None
    reference_variance: torch.Tensor | None = None
    reference_of: torch.Tensor | None = None

    @property
    def line_conductance(self) -> torch.Tensor:
        """Conductance [S] of all cells on a pair's lines, ``(row_tiles, 1, pairs)``."""
        return self.total.sum(dim=1, keepdim=True) if self.loading is None else self.loading

    def electronic_noise(self, periphery: Periphery, point: OperatingPoint, mean_input: torch.Tensor) -> torch.Tensor:
        """Return the rms noise [A] that amplifier and shot noise add to every conversion, ``(row_tiles, 1, pairs)``.

        A bit-serial product is converted plane by plane, each with its share of the time.

        Args:
            periphery: circuits.
            point: operating point.
            mean_input: mean of the inputs' magnitude, which sets the shot noise, ``(row_tiles, 1, rows)``; or the
                magnitude of every input by itself, ``(row_tiles, batch, rows)``, and the result has a batch, too.
        """
        standing = torch.bmm(mean_input, self.total) * self.drive
        window = point.multiply_time / periphery.dac.cycles
        amplifier = periphery.multiply_amplifier
        noise = amplifier.noise_current(window, point.temperature, standing.numpy())
        if amplifier.noise_gain:
            noise = np.hypot(noise, amplifier.line_noise_current(window, self.line_conductance.numpy()))
        return torch.from_numpy(noise.astype(np.float32))


def split_rows(x: torch.Tensor, row_tiles: int, rows: int) -> torch.Tensor:
    """Reshape inputs ``(batch, features)`` to ``(row_tiles, batch, rows)``, padding with zero inputs."""
    padding = row_tiles * rows - x.shape[1]
    padded = torch.nn.functional.pad(x, (0, padding)) if padding else x
    return padded.reshape(x.shape[0], row_tiles, rows).transpose(0, 1)


def cell_shares(
    coded: torch.Tensor, periphery: Periphery, voltage: float, characteristic_voltage: float
) -> torch.Tensor:
    """Return what the cells see of driven inputs, as a share of the full drive: driver's law and cells' sinh."""
    dac = periphery.dac
    if dac.driver == "constant-voltage" or (dac.driver == "sinh-compensated" and dac.driver_mismatch == 0.0):
        return coded
    if dac.driver == "sinh-compensated":
        built = characteristic_voltage * (1.0 + dac.driver_mismatch)
        shares: torch.Tensor = seen_share(coded, voltage, characteristic_voltage, built)
        return shares
    full = float(effective_voltage(voltage, characteristic_voltage))
    return characteristic_voltage / full * torch.sinh(coded * (voltage / characteristic_voltage))


def mean_magnitude(shares: torch.Tensor, periphery: Periphery) -> torch.Tensor:
    """Return the magnitude of inputs, averaged over the planes in which they are put on the lines."""
    if periphery.dac.cycles == 1:
        return shares.abs()
    planes = periphery.dac.planes(shares.abs())
    mean: torch.Tensor = sum(plane for _, plane in planes) / len(planes)
    return mean


def _driven_planes(
    x: torch.Tensor,
    shape: tuple[int, int],
    periphery: Periphery,
    point: OperatingPoint,
    characteristic_voltage: float,
    readout: Readout | None,
    images: NDArray[np.int64],
) -> list[tuple[float, torch.Tensor]]:
    """Return (digital weight, what the cells see ``(row_tiles, batch, rows)``) of every plane of the inputs."""
    planes = []
    for number, (weight, plane) in enumerate(periphery.dac.planes(x)):
        lines = split_rows(plane, *shape)
        driven = lines if readout is None else readout.drive(lines, images, number)
        planes.append((weight, cell_shares(driven, periphery, point.multiply_voltage, characteristic_voltage)))
    return planes


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
    readout: Readout | None = None,
    added: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> tuple[torch.Tensor, int]:
    """Multiply at the statistical level: exact mean, and output noise with exactly the cells' variance.

    In a bit-serial product the cells' noise is common to its planes, as that of traps slower than the product is: its
    sum has exactly the variance of one read, and each plane gets the part that goes with its inputs (its regression on
    the sum). Traps faster than a plane would average a little better.

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
        readout: the circuits as they were drawn; None: without errors of their own.
        added: returns further currents before conversion [A], ``(row_tiles, batch, pairs)``, for what the cells see of
            a plane of the inputs, ``(row_tiles, batch, rows)``; None: there are none.

    Returns:
        (differential currents summed over row tiles [A], shape ``(batch, pairs)``; number of clipped conversions).
    """
    row_tiles, rows, pairs = matrices.mean.shape
    planes = _driven_planes(x, (row_tiles, rows), periphery, point, characteristic_voltage, readout, images)
    count = 1 if len(planes) == 1 else len(planes) + 1
    references = 0 if matrices.reference_variance is None else int(matrices.reference_variance.shape[2])
    own = count * row_tiles * pairs
    drawn = torch.from_numpy(addressed_normals(noise_key, images, own + row_tiles * references))
    normals = drawn[:, :own].reshape(x.shape[0], count, row_tiles, pairs).permute(1, 2, 0, 3)
    of_references = drawn[:, own:].reshape(x.shape[0], row_tiles, references).transpose(0, 1)
    if len(planes) == 1:
        seen = planes[0][1]
        current = torch.bmm(seen, matrices.mean).mul_(matrices.drive)
        variance = torch.bmm(seen.square(), matrices.variance).mul_(matrices.drive**2).add_(electronic_noise.square())
        current += normals[0] * variance.sqrt_()
        current -= _reference_noise(seen, seen, matrices, of_references)
        if added is not None:
            current += added(seen)
        return digitise(current, periphery, full_scale, matrices.offset, matrices.correction, readout, images)
    whole = sum_planes(planes)
    deviation = torch.bmm(whole.square(), matrices.variance).sqrt_().clamp_(min=torch.finfo(torch.float32).tiny)
    outputs, clipped = [], 0
    for number, (_, seen) in enumerate(planes):
        current = torch.bmm(seen, matrices.mean).mul_(matrices.drive)
        share = torch.bmm(whole * seen, matrices.variance).div_(deviation).mul_(matrices.drive)
        current += normals[0] * share + normals[number + 1] * electronic_noise
        current -= _reference_noise(whole, seen, matrices, of_references)
        if added is not None:
            current += added(seen)
        codes, lost = digitise(
            current, periphery, full_scale, matrices.offset, matrices.correction, readout, images, number
        )
        outputs.append((planes[number][0], codes))
        clipped += lost
    return sum_planes(outputs), clipped


def _reference_noise(
    whole: torch.Tensor, seen: torch.Tensor, matrices: ProductMatrices, normals: torch.Tensor
) -> torch.Tensor | float:
    """Return the noise current of every output's reference line in a plane: the same for all that subtract it.

    Args:
        whole: what the cells see of all planes together, ``(row_tiles, batch, rows)``.
        seen: of this plane; the same if there is one only.
        matrices: of the layer.
        normals: one for each reference, ``(row_tiles, batch, references)``.
    """
    if matrices.reference_variance is None or matrices.reference_of is None:
        return 0.0
    deviation = torch.bmm(whole.square(), matrices.reference_variance).sqrt_()
    deviation.clamp_(min=torch.finfo(torch.float32).tiny)
    share = torch.bmm(whole * seen, matrices.reference_variance).div_(deviation).mul_(matrices.drive)
    noise: torch.Tensor = (normals * share)[:, :, matrices.reference_of]
    return noise


def sum_planes(planes: list[tuple[float, torch.Tensor]]) -> torch.Tensor:
    """Return the sum of planes, each times its digital weight."""
    return torch.stack([weight * plane for weight, plane in planes]).sum(dim=0)


def converter_step(periphery: Periphery, full_scale: float) -> float:
    """Return the step of the multiply mode's converter [A]; an ideal one has none, and no offset of so many steps."""
    adc = periphery.multiply_adc
    return 0.0 if isinstance(adc, IdealADC) else full_scale / (2 ** (adc.bits - 1) - 1)


def digitise(
    current: torch.Tensor,
    periphery: Periphery,
    full_scale: float,
    offset: torch.Tensor | None = None,
    correction: torch.Tensor | None = None,
    readout: Readout | None = None,
    images: NDArray[np.int64] | None = None,
    plane: int = 0,
) -> tuple[torch.Tensor, int]:
    """Integrate and convert differential currents ``(row_tiles, batch, pairs)`` [A], and add the row tiles' codes.

    Faulty offsets of the converters enter before conversion, corrections [steps] after it. Drawn circuits (``readout``)
    need the numbers of the ``images`` and of the ``plane``, the addresses of their noise.
    """
    if readout is not None:
        current = readout.front_end(current)
    clipped = int((current.abs() > full_scale).sum())
    held = periphery.integrator.saturate(current, full_scale)
    if offset is not None:
        held = held + offset * converter_step(periphery, full_scale)
    if readout is None or images is None:
        codes: torch.Tensor = periphery.multiply_adc.quantise(held, full_scale).sum(dim=0)
    else:
        codes = readout.convert(held, full_scale, images, plane).sum(dim=0)
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
    readout: Readout | None = None,
    cycle_of: torch.Tensor | None = None,
) -> tuple[torch.Tensor, int]:
    """Multiply at the cell level: every image with its own conductances.

    Args:
        x: these and the other arguments not listed are as in :func:`analog_product`.
        conductances: differential conductance [S] of every cell in every cycle, ``(cycles, row_tiles, rows, pairs)``.
        cycle_of: which cycle each image is read in, int64, ``(batch,)``; image k in cycle k, if not given.
        drive: as in :class:`ProductMatrices` [V]; likewise ``offset`` and ``correction`` [steps].
    """
    _, row_tiles, rows, pairs = conductances.shape
    batch = x.shape[0]
    planes = _driven_planes(x, (row_tiles, rows), periphery, point, characteristic_voltage, readout, images)
    drawn = torch.from_numpy(addressed_normals(noise_key, images, len(planes) * row_tiles * pairs))
    normals = drawn.reshape(batch, len(planes), row_tiles, pairs).permute(1, 2, 0, 3)
    outputs, clipped = [], 0
    for number, (weight, seen) in enumerate(planes):
        if cycle_of is None:
            current = torch.einsum("tbr,btrp->tbp", seen, conductances) * drive
        else:
            current = torch.empty((row_tiles, batch, pairs))
            for cycle in torch.unique(cycle_of).tolist():
                of_cycle = cycle_of == cycle
                current[:, of_cycle] = torch.bmm(seen[:, of_cycle], conductances[cycle]) * drive
        current += normals[number] * electronic_noise
        codes, lost = digitise(current, periphery, full_scale, offset, correction, readout, images, number)
        outputs.append((weight, codes))
        clipped += lost
    return (outputs[0][1] if len(outputs) == 1 else sum_planes(outputs)), clipped
