"""A linear layer on tiles: analog products, digital scale, bias and activation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.chip import Chip
from ferrogen.chip.engine.prepared import Prepared, has_fast_product, prepare
from ferrogen.chip.engine.product import input_codes, product
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.power import product_power
from ferrogen.chip.product import ProductMatrices, analog_product, cell_product, mean_magnitude
from ferrogen.chip.readout import Readout
from ferrogen.chip.repair import Repair
from ferrogen.core.errors import argument_error
from ferrogen.core.streams import Purpose
from ferrogen.mapping.coding import code_weights
from ferrogen.mapping.ranges import least_error_range

Fidelity = Literal["statistical", "cell"]


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """Prepared tiles, and what they were prepared for."""

    matrices: ProductMatrices
    full_scale: float
    mean_input: torch.Tensor
    prepared: Prepared


@dataclass(slots=True)
class AnalogLinear:
    """One linear layer programmed on a chip.

    Made by :func:`map_linear`. ``input_scale``, ``full_scale`` and ``mean_input`` are set by :meth:`calibrate`.

    Attributes:
        grid: tile numbers, ``grid[row tile][column tile]``.
        scale: weight per conductance [1/S] of each output.
        bias: digital, shape ``(outputs,)``.
        inputs: number of inputs.
        input_scale: input value that drives a word line fully.
        full_scale: of integrator and converter [A].
        mean_input: mean magnitude of the inputs as a share of ``input_scale``; it sets the shot noise; shape
            ``(row_tiles, 1, rows)``.
        power: of all cells, mean over a product's time and over typical inputs [W]; set by :meth:`calibrate`.
    """

    chip: Chip
    grid: list[list[int]]
    scale: torch.Tensor
    bias: torch.Tensor
    inputs: int
    input_scale: float = 1.0
    full_scale: float = 1.0
    mean_input: torch.Tensor = field(default_factory=lambda: torch.full((1, 1, 1), 0.5))
    power: float = 0.0
    _kept: tuple[OperatingPoint, int, ProductMatrices, Readout | None] | None = field(default=None, repr=False)
    _ready: _Ready | None = field(default=None, repr=False)

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return int(self.scale.shape[0])

    def matrices(self, point: OperatingPoint) -> ProductMatrices:
        """Return the layer's product matrices at an operating point (the last point's are kept)."""
        now = self.chip.programmings
        if self._kept is None or self._kept[:2] != (point, now):
            matrices = self.chip.product_matrices(self.grid, point, self.outputs)
            self._kept = (point, now, matrices, self.chip.readout(self.grid, point, matrices))
        return self._kept[2]

    def readout(self, point: OperatingPoint) -> Readout | None:
        """Return the circuits around the layer's tiles as they were drawn (the last point's are kept)."""
        self.matrices(point)
        return None if self._kept is None else self._kept[3]

    def calibrate(self, x: torch.Tensor, point: OperatingPoint, *, input_scale: float | None = None) -> torch.Tensor:
        """Set the input and converter ranges from typical inputs; return the noiseless outputs for them.

        Both ranges are those with the least error for ``x``, ``(batch, inputs)`` (:mod:`ferrogen.mapping.ranges`).

        Args:
            x: typical inputs.
            point: operating point.
            input_scale: of matrices that share their inputs' converters; None: the one with the least error for ``x``.
        """
        periphery = self.chip.spec.periphery
        self.input_scale = (
            least_error_range(x, lambda part, scale: periphery.dac.quantise(part / scale) * scale)
            if input_scale is None
            else input_scale
        )
        matrices = self.matrices(point)
        row_tiles, rows, _ = matrices.mean.shape
        padded = torch.nn.functional.pad(x / self.input_scale, (0, row_tiles * rows - x.shape[1]))
        shares = padded.reshape(x.shape[0], row_tiles, rows).transpose(0, 1)
        self.mean_input = mean_magnitude(shares, periphery).mean(dim=1, keepdim=True)
        v0 = self.chip.device.characteristic_voltage.value
        self.power = product_power(shares, matrices.total, periphery, point.multiply_voltage, v0)
        current = torch.bmm(shares, matrices.mean) * matrices.drive
        converted = current.transpose(0, 1)
        if periphery.dac.cycles > 1:  # what a converter sees are planes, not the whole
            planes = [torch.bmm(plane, matrices.mean) * matrices.drive for _, plane in periphery.dac.planes(shares)]
            converted = torch.stack(planes, dim=2).flatten(1, 2).transpose(0, 1)
        self.full_scale = least_error_range(
            converted,
            lambda part, scale: periphery.multiply_adc.quantise(periphery.integrator.saturate(part, scale), scale),
        )
        return self._finish(current.sum(dim=0), matrices.drive)

    def _finish(self, current: torch.Tensor, drive: float) -> torch.Tensor:
        return current * (self.scale * (self.input_scale / drive)) + self.bias

    def __call__(
        self,
        x: torch.Tensor,
        point: OperatingPoint,
        images: NDArray[np.int64],
        fidelity: Fidelity = "statistical",
        *,
        first_cycle: int = 0,
    ) -> torch.Tensor:
        """Return the layer's outputs, shape ``(batch, outputs)``.

        Args:
            x: inputs, shape ``(batch, inputs)``, float32.
            point: operating point.
            images: image number of every row: the address of its noise.
            fidelity: ``statistical`` (exact moments), or ``cell`` (every trap followed; slow, for small runs).
            first_cycle: cycle of the chip in which image 0 is made (``cell`` only: it is where the traps are).

        Raises:
            ArgumentError: an unknown fidelity.
        """
        addresses = np.ascontiguousarray(images, dtype=np.int64)
        return self.multiply(
            x, point, torch.from_numpy(addresses), cycles=torch.from_numpy(addresses + first_cycle), fidelity=fidelity
        )

    def prepared(self, point: OperatingPoint) -> Prepared | None:
        """Return the layer's tiles ready for fast products (the last ones are kept); None: its circuits need others.

        They depend on the layer's ranges, too: :meth:`calibrate` first.
        """
        matrices = self.matrices(point)
        periphery = self.chip.spec.periphery
        if not has_fast_product(periphery, self.readout(point), matrices):
            return None
        kept = self._ready
        if (
            kept is None
            or kept.matrices is not matrices
            or kept.mean_input is not self.mean_input
            or kept.full_scale != self.full_scale
        ):
            noise = self._electronic_noise(point)
            prepared = prepare(matrices, noise, periphery, self.full_scale, self._noise_key())
            kept = self._ready = _Ready(matrices, self.full_scale, self.mean_input, prepared)
        return kept.prepared

    def multiply(
        self,
        x: torch.Tensor,
        point: OperatingPoint,
        addresses: torch.Tensor,
        *,
        cycles: torch.Tensor | None = None,
        fidelity: Fidelity = "statistical",
    ) -> torch.Tensor:
        """Multiply vectors, each with noise of its own address, many of which may share a cycle of the chip.

        Args:
            x: inputs, shape ``(vectors, inputs)``, float32.
            point: operating point.
            addresses: of the vectors' noise, int64, shape ``(vectors,)``: a vector's result depends on nothing else.
            cycles: cycle of the chip in which each vector is multiplied, same shape (``cell`` only: it is where the
                traps are).
            fidelity: ``statistical`` (exact moments), or ``cell`` (every trap followed; slow, for small runs).

        Returns:
            outputs, scale and bias included, shape ``(vectors, outputs)``.

        Raises:
            ArgumentError: an unknown fidelity, shapes that do not fit, or no cycles for ``cell``.
        """
        if fidelity not in ("statistical", "cell"):
            raise argument_error("fidelity", "be 'statistical' or 'cell'", repr(fidelity))
        if x.ndim != 2 or x.shape[1] != self.inputs or addresses.shape != x.shape[:1]:
            raise argument_error(
                "x and addresses",
                f"have the shapes (vectors, {self.inputs}) and (vectors,)",
                f"of shapes {tuple(x.shape)} and {tuple(addresses.shape)}",
            )
        if fidelity == "cell":
            current, clipped = self._cell_currents(x, point, addresses, cycles)
        elif (prepared := self.prepared(point)) is not None:
            codes = input_codes(x, self.input_scale, prepared.input_levels)
            current, lost = product(codes, prepared, addresses)
            clipped = int(lost)
        else:
            current, clipped = analog_product(
                x / self.input_scale,
                self.matrices(point),
                self._electronic_noise(point),
                self.chip.spec.periphery,
                self.full_scale,
                point,
                self.chip.device.characteristic_voltage.value,
                noise_key=self._noise_key(),
                images=addresses.numpy(),
                readout=self.readout(point),
            )
        self.chip.count_products(
            x.shape[0], len(self.grid), self.outputs, clipped, full_scale=self.full_scale, power=self.power
        )
        return self._finish(current, self.matrices(point).drive)

    def _noise_key(self) -> np.uint64:
        return self.chip.streams.key(Purpose.MULTIPLY_NOISE, self.grid[0][0])

    def _electronic_noise(self, point: OperatingPoint) -> torch.Tensor:
        matrices = self.matrices(point)
        mean_input = self.mean_input.expand(matrices.mean.shape[0], 1, matrices.mean.shape[1])
        return matrices.electronic_noise(self.chip.spec.periphery, point, mean_input)

    def _cell_currents(
        self, x: torch.Tensor, point: OperatingPoint, addresses: torch.Tensor, cycles: torch.Tensor | None
    ) -> tuple[torch.Tensor, int]:
        if cycles is None or cycles.shape != addresses.shape:
            shape = "missing" if cycles is None else f"of shape {tuple(cycles.shape)}"
            raise argument_error("cycles", f"hold the chip's cycle of each of {x.shape[0]} vectors", shape)
        matrices = self.matrices(point)
        return cell_product(
            x / self.input_scale,
            self._cell_conductances(point, cycles.numpy()),
            self._electronic_noise(point),
            self.chip.spec.periphery,
            self.full_scale,
            point,
            self.chip.device.characteristic_voltage.value,
            matrices.drive,
            noise_key=self._noise_key(),
            images=addresses.numpy(),
            offset=matrices.offset,
            correction=matrices.correction,
            readout=self.readout(point),
        )

    def weights(self, point: OperatingPoint) -> NDArray[np.float64]:
        """Return the weights that products really have on average, shape ``(outputs, inputs)``."""
        matrices = self.matrices(point)
        carried = matrices.mean.double().flatten(0, 1)[: self.inputs].T * self.scale.double()[:, None]
        return np.asarray(carried.numpy(), dtype=np.float64)

    def _cell_conductances(self, point: OperatingPoint, cycles: NDArray[np.int64]) -> torch.Tensor:
        first, last = int(cycles.min()), int(cycles.max())
        wanted = cycles - first
        rows = []
        for tiles in self.grid:
            parts = []
            for number in tiles:
                g = self.chip.tile(number).product_conductances(
                    point, first_cycle=first, cycles=last - first + 1, threads=self.chip.threads
                )[wanted]
                parts.append((g[:, :, 0::2] - g[:, :, 1::2]).astype(np.float32))
            rows.append(np.concatenate(parts, axis=2)[:, :, : self.outputs])
        return torch.from_numpy(np.stack(rows, axis=1))


def map_linear(
    chip: Chip,
    weight: NDArray[np.float64],
    bias: NDArray[np.float64],
    *,
    sampling_tiles: int = 0,
    repair: Repair | None = None,
) -> AnalogLinear:
    """Program a linear layer onto free tiles of a chip.

    Args:
        chip: with enough free tiles.
        weight: shape ``(outputs, inputs)``.
        bias: shape ``(outputs,)``.
        sampling_tiles: how many of its tiles also serve the sample mode.
        repair: finds the tiles' faults and programs around them; None: faults are left as they are.

    Raises:
        CapacityError: not enough tiles.
        ArgumentError: weights or biases that are not finite.
    """
    if bias.shape != weight.shape[:1] or not np.all(np.isfinite(bias)):
        raise argument_error("bias", f"hold finite numbers of shape {weight.shape[:1]}", f"of shape {bias.shape}")
    spec = chip.spec
    coded = code_weights(weight, chip.window, chip.levels, spec.logical_rows, 2 * spec.logical_pairs)
    row_tiles, column_tiles = coded.targets.shape[:2]
    numbers = chip.reserve(row_tiles * column_tiles)
    grid = [numbers[i * column_tiles : (i + 1) * column_tiles] for i in range(row_tiles)]
    for i in range(row_tiles):
        for j in range(column_tiles):
            target, placement = coded.targets[i, j], chip.placement()
            samples = i * column_tiles + j < sampling_tiles
            if repair is not None:
                scale = np.zeros(spec.logical_pairs)
                of_tile = coded.scale[j * scale.size : (j + 1) * scale.size]
                scale[: of_tile.size] = of_tile
                repair.program(chip, grid[i][j], target, scale=scale, samples=samples)
                continue
            if placement is not None:
                target = placement.to_physical(target, spec.columns, chip.window.low)
            chip.program(grid[i][j], target, samples=samples, placement=placement)
    return AnalogLinear(
        chip=chip,
        grid=grid,
        scale=torch.from_numpy(coded.scale.astype(np.float32)),
        bias=torch.from_numpy(bias.astype(np.float32)),
        inputs=weight.shape[1],
    )
