"""The dual-mode chip: tiles of one device, read high to sample and low to multiply."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.array.condition import Condition
from ferrogen.array.faults import FaultMap, draw_faults
from ferrogen.array.levels import ConductanceWindow, ContinuousLevels, DiscreteLevels, Levels, conductance_window
from ferrogen.chip.block_matrices import block_matrices, converter_offsets
from ferrogen.chip.blocks import BlockGrid, whole_tiles
from ferrogen.chip.memory import TileMemory
from ferrogen.chip.placement import Placement, first_lines
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.power import product_power
from ferrogen.chip.product import ProductMatrices, analog_product, mean_magnitude, split_rows
from ferrogen.chip.reader import Reader, ReadingFidelity, statistical_reader, window_reader
from ferrogen.chip.readout import Readout, SampleConverters, draw_readout, sample_converters
from ferrogen.chip.spec import ChipSpec
from ferrogen.chip.tile import ProductStatistics, Tile, program_tile
from ferrogen.chip.usage import Usage
from ferrogen.core.errors import CapacityError, argument_error
from ferrogen.core.streams import Purpose, Streams
from ferrogen.core.units import format_quantity
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.device.transport.compact import effective_voltage

_KEPT_TILES = 4  # whose statistics are kept: matrices that share a tile are made ready one after the other


def _check_full_scale(full_scale: float | None) -> None:
    if full_scale is not None and not (math.isfinite(full_scale) and full_scale > 0.0):
        raise argument_error("full_scale", "be a positive current in A", f"{full_scale} A")


@dataclass(frozen=True, slots=True)
class Samples:
    """Digitised sample-mode readings.

    Attributes:
        current: differential, doubly sampled current of each pair of bit lines [A], shape ``(cycles, pairs)``.
        clipped: how many readings hit the converter's full scale.
    """

    current: NDArray[np.float64]
    clipped: int


@dataclass(slots=True)
class Chip:
    """A simulated chip.

    Args:
        card: a device card, its name, or the path of its file.
        seed: everything about this chip, and its noise, follows from it.
        spec: size, programming and periphery.
        threads: for the telegraph sampler; results do not depend on it.
        fault_maps: what is broken on tiles, given by hand, by tile number; the other tiles' faults are drawn with
            ``spec.fault_rates``.
        memory: of chips with the same cells and other faults, to make them quickly; results do not depend on it.
        corrections: what is subtracted digitally from the codes of a tile's pairs [steps of the converter], by tile
            number: what a self-test found their converters to say of nothing. Shape ``(pairs,)``, physical ones.

    Raises:
        CardError: unknown or malformed card.
        ArgumentError: a seed that is no integer from 0 to 2**63 - 1.
    """

    card: DeviceCard | str | Path
    seed: int = 0
    spec: ChipSpec = field(default_factory=ChipSpec)
    threads: int = 1
    usage: Usage = field(default_factory=Usage)
    tiles: dict[int, Tile] = field(default_factory=dict)
    reserved: set[int] = field(default_factory=set)
    programmings: int = 0
    fault_maps: dict[int, FaultMap] = field(default_factory=dict)
    memory: TileMemory | None = field(default=None, repr=False)
    corrections: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    device: DeviceCard = field(init=False)
    streams: Streams = field(init=False)
    _converters: dict[tuple[int, int, int], SampleConverters | None] = field(default_factory=dict, repr=False)
    _seen: deque[tuple[Tile, tuple[OperatingPoint, bool], ProductStatistics]] = field(
        default_factory=lambda: deque(maxlen=_KEPT_TILES), repr=False
    )

    def __post_init__(self) -> None:
        self.device = self.card if isinstance(self.card, DeviceCard) else load_card(self.card)
        self.streams = Streams(self.seed)
        if self.threads < 1:
            raise argument_error("threads", "be at least 1", self.threads)

    @property
    def window(self) -> ConductanceWindow:
        """Conductances [S] that cells can be asked for."""
        return conductance_window(self.device)

    @property
    def levels(self) -> Levels:
        """The levels that cells are programmed to."""
        if self.spec.continuous_levels:
            return ContinuousLevels()
        return DiscreteLevels(int(self.device.programmable_levels.value))

    def faults(self, number: int) -> FaultMap | None:
        """Return what is broken on a tile; None: nothing.

        Raises:
            ArgumentError: a map given by hand is that of an array of another size.
        """
        given = self.fault_maps.get(number)
        if given is not None and (given.rows, given.columns) != (self.spec.rows, self.spec.columns):
            raise argument_error(
                "fault_maps", f"hold maps of {self.spec.rows} x {self.spec.columns} cells", (given.rows, given.columns)
            )
        if given is None and self.spec.fault_rates is not None:
            generator = self.streams.generator(Purpose.FAULTS, number)
            given = draw_faults(self.spec.fault_rates, self.spec.rows, self.spec.columns, generator)
        return given if given is not None and given.count else None

    def placement(self) -> Placement | None:
        """Return where a tile's logical lines are without repair: the first ones. None: it has no spare ones."""
        spec = self.spec
        if spec.spare_rows == 0 and spec.spare_pairs == 0:
            return None
        return first_lines(spec.rows, spec.pairs, spare_rows=spec.spare_rows, spare_pairs=spec.spare_pairs)

    def reserve(self, count: int) -> list[int]:
        """Return the numbers of the ``count`` lowest free tiles, and keep them for the caller.

        Raises:
            CapacityError: the chip has too few; says how many are needed.
        """
        taken = self.reserved | self.tiles.keys()
        free = [number for number in range(self.spec.tiles) if number not in taken]
        if count > len(free):
            raise CapacityError(
                f"{count} tiles of {self.spec.rows} x {self.spec.columns} are needed, but the chip has {len(free)} of"
                f" {self.spec.tiles} left. Make it with at least {len(taken) + count} tiles (ChipSpec.tiles)."
            )
        self.reserved.update(free[:count])
        return free[:count]

    def program(
        self,
        number: int,
        target: NDArray[np.float64],
        *,
        samples: bool = False,
        placement: Placement | None = None,
    ) -> Tile:
        """Program tile ``number`` to ``target`` [S], shape ``(rows, columns)``, after rounding to the levels.

        Args:
            number: a tile number below ``spec.tiles``.
            target: conductances; they are clipped to the window.
            samples: whether the tile also serves the sample mode (then its cells see the sample voltage, too).
            placement: which of its lines carry what; if not given, the first ones, the last being spare.

        Raises:
            ArgumentError: wrong shape, values that are not finite, or a number the chip does not have.
        """
        if not 0 <= number < self.spec.tiles:
            raise argument_error("number", f"be a tile of this chip, 0 to {self.spec.tiles - 1}", number)
        if target.shape != (self.spec.rows, self.spec.columns):
            raise argument_error(
                "target", f"have the shape {(self.spec.rows, self.spec.columns)}", f"of shape {target.shape}"
            )
        fraction = np.clip((target - self.window.low) / self.window.span, 0.0, 1.0)
        rounded = self.window.low + self.window.span * self.levels.quantise(fraction)
        programmed = program_tile if self.memory is None else self.memory.program
        tile = programmed(
            self.device,
            self.spec,
            self.streams,
            number,
            rounded,
            samples=samples,
            faults=self.faults(number),
            placement=self.placement() if placement is None else placement,
        )
        self.usage.pulses += int(tile.state.pulses.sum())
        self.usage.programmed_cells += int(tile.state.pulses.size)
        self.tiles[number] = tile
        self.programmings += 1
        self._converters.clear()  # another placement may have changed which ones a reading uses
        return tile

    def tile(self, number: int) -> Tile:
        """Return a programmed tile.

        Raises:
            ArgumentError: no tile of that number has been programmed.
        """
        if number not in self.tiles:
            raise argument_error("number", f"be one of the {len(self.tiles)} programmed tiles", number)
        return self.tiles[number]

    def set_condition(self, number: int, condition: Condition | None) -> Tile:
        """Replace what use has made of a tile's cells; whatever is kept of its matrices is then made anew.

        Args:
            number: of a programmed tile.
            condition: of its cells; None: as programmed.

        Raises:
            ArgumentError: no tile of that number has been programmed, or the condition's shape is not the tile's.
        """
        self.tiles[number] = self.tile(number).with_condition(condition)
        self.programmings += 1
        return self.tiles[number]

    def sample(
        self,
        point: OperatingPoint,
        cycles: range,
        *,
        tile: int = 0,
        pairs: int | None = None,
        pairs_per_reading: int = 1,
        full_scale: float | None = None,
    ) -> Samples:
        """Read telegraph noise: two windows at the sample voltage, subtracted, on differential pairs of bit lines.

        Args:
            point: operating point.
            cycles: consecutive cycle numbers; cycle k gives the same reading however it is asked for.
            tile: which tile.
            pairs: how many pairs to read; all, if not given.
            pairs_per_reading: neighbouring pairs that share one amplifier (their currents add).
            full_scale: of integrator and converter [A]; readings stay analog if not given (to choose one).

        Returns:
            readings ``(cycles, pairs / pairs_per_reading)`` [A].

        Raises:
            ValidityError: the point lies outside the card's validity.
            ArgumentError: a range with a step, or numbers that do not fit the tile.
        """
        point.check(self.device)
        most = self.spec.logical_pairs
        number = most if pairs is None else pairs
        if cycles.step != 1 or cycles.start < 0:
            raise argument_error("cycles", "be consecutive and not negative", cycles)
        if not 1 <= number <= most or pairs_per_reading < 1 or number % pairs_per_reading:
            raise argument_error(
                "pairs", f"be 1 to {most} and a multiple of pairs_per_reading ({pairs_per_reading})", number
            )
        reader = self.reader(
            point, tile=tile, readings=number // pairs_per_reading, pairs_per_reading=pairs_per_reading
        )
        return self.read(reader, cycles, full_scale)

    def reader(
        self,
        point: OperatingPoint,
        *,
        tile: int,
        readings: int,
        pairs_per_reading: int = 1,
        resolved_share: float = 1.0,
        fidelity: ReadingFidelity = "cell",
    ) -> Reader:
        """Make the sample mode of a tile ready; see :mod:`ferrogen.chip.reader`, also for the arguments.

        Raises:
            ArgumentError: an unknown fidelity, or the lines' standing current saturates the sample amplifier, and
                nothing is left of the noise.
        """
        point.check(self.device)
        if fidelity not in ("statistical", "cell"):
            raise argument_error("fidelity", "be 'statistical' or 'cell'", repr(fidelity))
        prepare = window_reader if fidelity == "cell" else statistical_reader
        reader = prepare(
            self.tile(tile),
            point,
            readings=readings,
            pairs_per_reading=pairs_per_reading,
            resolved_share=resolved_share,
        )
        largest, limit = float(reader.standing_current.max()), self.spec.periphery.sample_amplifier.largest_current
        if largest > limit:
            raise argument_error(
                "sample_amplifier",
                f"show the {format_quantity(largest, 'A')} that a reading's lines carry",
                f"saturated at {format_quantity(limit, 'A')}",
                "Lower its feedback resistance or the sample voltage, or read fewer pairs together.",
            )
        return reader

    def read(self, reader: Reader, cycles: range, full_scale: float | None = None) -> Samples:
        """Read with a prepared reader; arguments and result as in :meth:`sample`."""
        _check_full_scale(full_scale)
        differential = reader.read(cycles.start, len(cycles), self.threads)
        self.usage.windows += 2 * len(cycles)
        self.usage.readings += int(2 * differential.size)
        self.usage.standing_current += float(2 * len(cycles) * reader.standing_current.sum())
        self.usage.sample_drives += len(cycles) * self.spec.rows
        if full_scale is None:
            return Samples(differential, 0)
        periphery = self.spec.periphery
        held = periphery.integrator.saturate(differential, full_scale)
        converters = self._sample_converters(reader)
        self.usage.conversions += int(held.size)
        self.usage.sample_conversions += int(held.size)
        if converters is None:
            codes = np.asarray(periphery.sample_adc.quantise(held, full_scale))
        else:
            codes = converters.convert(held, full_scale, reader.temperature, cycles.start)
        return Samples(codes, int(np.count_nonzero(np.abs(differential) > full_scale)))

    def _sample_converters(self, reader: Reader) -> SampleConverters | None:
        """Return the drawn converters of a reader's tile (the last ones of every tile are kept)."""
        readings = int(reader.standing_current.shape[0])
        known = (reader.tile, readings, reader.pairs_per_reading)
        if known not in self._converters:
            self._converters[known] = sample_converters(
                self.spec,
                self.streams,
                reader.tile,
                self.tile(reader.tile).placement,
                readings,
                reader.pairs_per_reading,
            )
        return self._converters[known]

    def multiply(
        self,
        inputs: torch.Tensor,
        point: OperatingPoint,
        *,
        tile: int = 0,
        full_scale: float | None = None,
        images: NDArray[np.int64] | None = None,
    ) -> torch.Tensor:
        """Multiply input vectors by one tile's differential conductances.

        Args:
            inputs: in [-1, 1], shape ``(batch, rows)``; without the spare rows.
            point: operating point.
            tile: which tile.
            full_scale: of integrator and converter [A]; the largest current possible, if not given.
            images: noise address of every input row; 0, 1, 2, ... if not given. The same address gives the same noise
                again: to average over noise, give other addresses.

        Returns:
            digitised differential currents [A], shape ``(batch, pairs)``.

        Raises:
            ValidityError: the point lies outside the card's validity.
            ArgumentError: inputs of the wrong shape, or not finite.
        """
        point.check(self.device)
        rows, pairs = self.spec.logical_rows, self.spec.logical_pairs
        if inputs.ndim != 2 or inputs.shape[1] != rows or not bool(torch.isfinite(inputs).all()):
            raise argument_error(
                "inputs", f"hold finite values of shape (batch, {rows})", f"of shape {tuple(inputs.shape)}"
            )
        matrices = self.product_matrices([[tile]], point, pairs)
        addresses = np.arange(inputs.shape[0], dtype=np.int64) if images is None else images
        if addresses.shape != inputs.shape[:1]:
            raise argument_error("images", f"have one number for each of {inputs.shape[0]} rows", addresses.shape)
        _check_full_scale(full_scale)
        largest = self.spec.rows * self.window.high * matrices.drive
        v0 = self.device.characteristic_voltage.value
        shares = inputs.to(torch.float32)
        scale = largest if full_scale is None else full_scale
        outputs, clipped = analog_product(
            shares,
            matrices,
            matrices.electronic_noise(self.spec.periphery, point, mean_magnitude(shares, self.spec.periphery)[None]),
            self.spec.periphery,
            scale,
            point,
            v0,
            noise_key=self.streams.key(Purpose.MULTIPLY_NOISE, tile),
            images=addresses,
            readout=self.readout([[tile]], point, matrices),
        )
        seen = split_rows(shares, 1, rows)
        power = product_power(seen, matrices.total, self.spec.periphery, point.multiply_voltage, v0)
        self.count_products(inputs.shape[0], 1, pairs, clipped, full_scale=scale, power=power)
        return outputs

    def count_products(
        self,
        batch: int,
        row_tiles: int,
        pairs: int,
        clipped: int,
        *,
        full_scale: float = 0.0,
        power: float = 0.0,
        lines: int | None = None,
        cells: int | None = None,
    ) -> None:
        """Add a batch of products to the usage record.

        Args:
            batch: input vectors.
            row_tiles: tiles below one another, whose codes are added.
            pairs: outputs.
            clipped: conversions that clipped.
            full_scale: of integrator and converter [A].
            power: of all cells, mean over a product's time and over typical inputs [W].
            lines: word lines driven in a product; all those of its tiles, if not given.
            cells: cells (or pairs of them) that multiply in a product; all on the outputs' lines, if not given.
        """
        integrations = batch * row_tiles * pairs * self.spec.periphery.dac.cycles
        column_tiles = -(-pairs // self.spec.logical_pairs)
        driven = row_tiles * column_tiles * self.spec.rows if lines is None else lines
        multiplied = row_tiles * self.spec.rows * pairs if cells is None else cells
        self.usage.integrations += integrations
        self.usage.full_scale_current += full_scale * integrations
        self.usage.line_drives += batch * driven * self.spec.periphery.dac.cycles
        self.usage.cell_power += power * batch
        self.usage.products += batch
        self.usage.conversions += integrations
        self.usage.multiply_accumulates += batch * multiplied
        self.usage.clipped_conversions += clipped

    def product_matrices(
        self, grid: BlockGrid | list[list[int]], point: OperatingPoint, pairs: int = 0
    ) -> ProductMatrices:
        """Assemble a grid of blocks, or of whole tiles, for products at one operating point.

        Args:
            grid: where the matrix is; or tile numbers, ``grid[row tile][column tile]``.
            point: operating point.
            pairs: of whole tiles: differential pairs wanted, from the left.
        """
        of = self.whole_tiles(grid, pairs) if isinstance(grid, list) else grid
        offset, correction = converter_offsets(of, self.tile, self.corrections, self.spec.pairs)

        def statistics(number: int) -> ProductStatistics:
            return self._statistics(number, point, of_lines=of.references > 0)

        return block_matrices(of, statistics, self.drive(point), offset, correction)

    def whole_tiles(self, grid: list[list[int]], pairs: int) -> BlockGrid:
        """Return the blocks that whole tiles are, ``pairs`` differential pairs wanted from the left."""
        return whole_tiles(grid, self.spec.logical_rows, self.spec.logical_pairs, pairs)

    def _statistics(self, number: int, point: OperatingPoint, *, of_lines: bool) -> ProductStatistics:
        """Return what products see of a tile; the last few are kept, since matrices share tiles."""
        tile = self.tile(number)
        for kept in self._seen:
            if kept[0] is tile and kept[1] == (point, of_lines):
                return kept[2]
        statistics = tile.product_statistics(point)
        shares = tile.shares()
        if of_lines and shares is not None:
            own = shares.line_variance(tile.cell_statistics(point).variance)
            statistics = ProductStatistics(statistics.mean, own)
        self._seen.appendleft((tile, (point, of_lines), statistics))
        return statistics

    def readout(
        self, grid: BlockGrid | list[list[int]], point: OperatingPoint, matrices: ProductMatrices
    ) -> Readout | None:
        """Return the circuits around a matrix as they were drawn; None: they have no errors of their own.

        Args:
            grid: where the matrix is; or tile numbers.
            point: operating point.
            matrices: of the same grid and point.
        """
        of = self.whole_tiles(grid, int(matrices.mean.shape[2])) if isinstance(grid, list) else grid
        placements = [[self.tile(block.tile).placement for block in row] for row in of.blocks]
        return draw_readout(self.spec, self.streams, of, placements, point, matrices.line_conductance)

    def drive(self, point: OperatingPoint) -> float:
        """Return the current per conductance of a fully driven cell [V]."""
        return float(effective_voltage(point.multiply_voltage, self.device.characteristic_voltage.value))
