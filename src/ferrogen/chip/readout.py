"""The circuits around a chip's tiles as they were made: every driver, amplifier and converter with its own errors.

What is drawn is a function of (chip seed, tile number): word-line drivers of a tile, amplifiers of its physical pairs,
converters shared by pairs as the multiplexer says. In a grid of tiles a word line's driver serves the whole row of
tiles: that of its first tile. Noise of a use is addressed by tile and image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.blocks import BlockGrid
from ferrogen.chip.placement import Placement
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.readout.flash import FlashADC, FlashConverters
from ferrogen.circuit.readout.input_errors import InputErrors
from ferrogen.circuit.readout.kinds import AnyConverter, DrawnConverters
from ferrogen.circuit.readout.sar import SarADC, SarConverters
from ferrogen.core.philox import addressed_normals
from ferrogen.core.streams import Purpose, Streams

# What follows the tile number in the address of a draw. Part of the reproducibility promise: never renumber.
_MULTIPLY_CONVERTERS, _SAMPLE_CONVERTERS, _DRIVERS, _AMPLIFIERS = 0, 1, 2, 3


@dataclass(frozen=True, slots=True, eq=False)
class Readout:
    """The drawn circuits of a grid of tiles in the multiply mode, at one operating point.

    Attributes:
        periphery: their designs.
        inputs: errors of the word-line drivers, ``(row_tiles, 1, rows)``.
        converters: drawn ones, ``(row_tiles, 1, pairs)``; None: perfect quantisers.
        polarity: 1, or -1 where a repaired pair is turned round: its current is negated before and after conversion.
        offset_current: of the amplifiers [A], ``(row_tiles, 1, pairs)``; None: they have none.
        hold_time: how long each pair waits for its conversion [s], ``(pairs,)``.
        gain: of amplifier and integrator over one plane's window [1].
        window: of one plane [s].
        temperature: [K].
        keys: stream keys of the conversion noise of every plane.
        input_keys: of the drivers' noise of every plane.
    """

    periphery: Periphery
    inputs: InputErrors
    converters: DrawnConverters | None
    polarity: torch.Tensor
    offset_current: torch.Tensor | None
    hold_time: torch.Tensor
    gain: float
    window: float
    temperature: float
    keys: tuple[np.uint64, ...]
    input_keys: tuple[np.uint64, ...]

    def drive(self, plane: torch.Tensor, images: NDArray[np.int64], number: int) -> torch.Tensor:
        """Return what the drivers give for a rounded plane ``(row_tiles, batch, rows)``; ``number`` is the plane's."""
        normals = None
        if self.inputs.noise > 0.0:
            normals = _normals(self.input_keys[number], images, 1, plane)[0]
        driven: torch.Tensor = self.inputs.apply(plane, normals)
        return driven

    def front_end(self, current: torch.Tensor) -> torch.Tensor:
        """Return window currents [A] as amplifier and integrator make them: gain, offset, the amplifier's range."""
        if self.gain != 1.0:
            current = current * self.gain
        if self.offset_current is not None:
            current = current + self.offset_current
        limited: torch.Tensor = self.periphery.multiply_amplifier.limit(current)
        return limited

    def convert(self, held: torch.Tensor, full_scale: float, images: NDArray[np.int64], number: int) -> torch.Tensor:
        """Hold and convert window currents ``(row_tiles, batch, pairs)`` [A] of plane ``number``."""
        integrator, hold = self.periphery.integrator, self.periphery.sample_hold
        reset = integrator.noise_current(self.window, self.temperature, full_scale)
        rms = math.hypot(reset, hold.noise(self.temperature) * full_scale)
        own = 0 if self.converters is None else self.converters.normals_per_conversion
        normals = _normals(self.keys[number], images, own + int(rms > 0.0), held) if own or rms > 0.0 else None
        seen: torch.Tensor = hold.hold(held * self.polarity, full_scale, self.hold_time)
        if normals is not None and rms > 0.0:
            seen = seen + rms * normals[own]
        if self.converters is None:
            codes: torch.Tensor = self.periphery.multiply_adc.quantise(seen, full_scale)
        else:
            codes = self.converters.convert(seen, full_scale, normals, self.temperature)
        return codes * self.polarity


def _normals(key: np.uint64, images: NDArray[np.int64], count: int, x: torch.Tensor) -> torch.Tensor:
    """Return standard normals for each entry of ``x``, ``(count, row_tiles, batch, n)``, addressed by image."""
    row_tiles, batch, n = x.shape
    drawn = torch.from_numpy(addressed_normals(key, images, row_tiles * n * count))
    return drawn.reshape(batch, row_tiles, n, count).permute(3, 1, 0, 2)


def draw_converters(
    design: AnyConverter, spec: ChipSpec, streams: Streams, tile: int, *, samples: bool
) -> DrawnConverters | None:
    """Draw the converters of a tile, one entry for each physical pair ``(pairs,)``; None if they have no errors.

    Args:
        design: a SAR or flash converter is drawn, others are perfect.
        spec: of the chip; its multiplexer says which pairs share a converter.
        streams: of the chip.
        tile: number.
        samples: whether these are the converters of the sample mode.
    """
    if not isinstance(design, SarADC | FlashADC):
        return None
    kind = _SAMPLE_CONVERTERS if samples else _MULTIPLY_CONVERTERS
    multiplexer = spec.periphery.multiplexer
    bank = design.draw((multiplexer.converters(spec.pairs),), streams.generator(Purpose.CONVERTER_MISMATCH, tile, kind))
    return _take(bank, multiplexer.converter_of(spec.pairs))


def _take(bank: DrawnConverters, chosen: NDArray[np.int64]) -> DrawnConverters:
    if isinstance(bank, SarConverters):
        return SarConverters(bank.spec, bank.weights[chosen], bank.offset[chosen])
    return FlashConverters(bank.spec, bank.thresholds[chosen])


def _grid(banks: list[list[DrawnConverters]]) -> DrawnConverters:
    """Join the banks of a grid's blocks to one of ``(row_tiles, 1, pairs)``."""

    def joined(name: str) -> NDArray[np.float64]:
        return np.stack([np.concatenate([getattr(bank, name) for bank in row]) for row in banks])[:, None]

    first = banks[0][0]
    if isinstance(first, SarConverters):
        return SarConverters(first.spec, joined("weights"), joined("offset"))
    return FlashConverters(first.spec, joined("thresholds"))


def _physical(placement: Placement | None, spec: ChipSpec) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the physical pair of every logical one and its polarity (pair 0 stands in where there is none)."""
    if placement is None:
        return np.arange(spec.pairs), np.ones(spec.pairs)
    return np.maximum(placement.pair_of, 0), np.where(placement.flipped, -1.0, 1.0)


def _lines(placement: Placement | None, spec: ChipSpec) -> NDArray[np.int64]:
    """Return the first word line that carries every logical row."""
    if placement is None:
        return np.arange(spec.rows)
    lines = np.zeros(placement.rows, dtype=np.int64)
    for line in reversed(np.flatnonzero(placement.row_of >= 0)):
        lines[placement.row_of[line]] = line
    return lines


def draw_readout(
    spec: ChipSpec,
    streams: Streams,
    grid: BlockGrid,
    placements: list[list[Placement | None]],
    point: OperatingPoint,
    loading: torch.Tensor,
) -> Readout | None:
    """Draw the circuits of a grid of blocks; None if none of them has errors beyond rounding, clipping and known noise.

    Args:
        spec: of the chip.
        streams: of the chip.
        grid: where the matrix is.
        placements: of the blocks' tiles.
        point: operating point.
        loading: conductance of all cells on each pair's lines [S], ``(row_tiles, 1, pairs)``: what an offset drives.
    """
    periphery = spec.periphery
    planes = periphery.dac.cycles
    window = point.multiply_time / planes
    amplifier, integrator, hold = periphery.multiply_amplifier, periphery.integrator, periphery.sample_hold
    inputs = _draw_inputs(spec, streams, grid, placements)
    gain = amplifier.window_gain(window) * integrator.gain(window)
    drawn = isinstance(periphery.multiply_adc, SarADC | FlashADC)
    added = integrator.noise_current(window, point.temperature, 1.0) + hold.noise(point.temperature)
    limited = amplifier.largest_current != math.inf
    if inputs.absent and not (drawn or added or limited or amplifier.offset_voltage) and gain == 1.0:
        return None
    chosen = _physical_pairs(grid, placements, spec)
    polarity = np.stack([np.concatenate([sign for _, sign in row]) for row in chosen])[:, None]
    slot = periphery.multiplexer.slot(hold.latency() + periphery.multiply_adc.latency())
    turns = np.concatenate([periphery.multiplexer.turn(spec.pairs)[pair] for pair, _ in chosen[0]])
    if grid.references:  # the converter of two lines serves the left one, then the right one
        lines = [grid.lines_of(column) for column in range(len(grid.conversions))]
        turns = 2 * turns + np.concatenate(lines) % 2
    converters = None
    if drawn:
        banks = []
        for blocks, places in zip(grid.blocks, chosen, strict=True):
            row = []
            for block, (pair, _) in zip(blocks, places, strict=True):
                bank = draw_converters(periphery.multiply_adc, spec, streams, block.tile, samples=False)
                if bank is not None:
                    row.append(_take(bank, pair))
            banks.append(row)
        converters = _grid(banks)
    offset = None
    if amplifier.offset_voltage > 0.0:
        volts = _amplifier_offsets(spec, streams, grid, chosen)[:, None] * polarity
        offset = amplifier.offset_current(torch.from_numpy(volts.astype(np.float32)), loading)
    noise = Purpose.CONVERSION_NOISE
    return Readout(
        periphery=periphery,
        inputs=inputs,
        converters=converters,
        polarity=torch.from_numpy(polarity.astype(np.float32)),
        offset_current=offset,
        hold_time=torch.from_numpy((turns * slot).astype(np.float32)),
        gain=gain,
        window=window,
        temperature=point.temperature,
        keys=tuple(streams.key(noise, *grid.address, _MULTIPLY_CONVERTERS, k) for k in range(planes)),
        input_keys=tuple(streams.key(noise, *grid.address, _DRIVERS, k) for k in range(planes)),
    )


_Chosen = list[list[tuple[NDArray[np.int64], NDArray[np.float64]]]]


def _physical_pairs(grid: BlockGrid, placements: list[list[Placement | None]], spec: ChipSpec) -> _Chosen:
    """Return (physical pair, polarity) of every conversion of every block."""
    chosen: _Chosen = []
    for i, places in enumerate(placements):
        row = []
        for j, placement in enumerate(places):
            logical = grid.lines_of(j, i) // 2
            pair, sign = _physical(placement, spec)
            row.append((pair[logical], sign[logical]))
        chosen.append(row)
    return chosen


def _amplifier_offsets(spec: ChipSpec, streams: Streams, grid: BlockGrid, chosen: _Chosen) -> NDArray[np.float64]:
    """Return the amplifiers' offsets [V] at the conversions of a grid of blocks, ``(row_tiles, pairs)``."""
    rows = []
    for blocks, places in zip(grid.blocks, chosen, strict=True):
        row = []
        for block, (pair, _) in zip(blocks, places, strict=True):
            generator = streams.generator(Purpose.CONVERTER_MISMATCH, block.tile, _AMPLIFIERS)
            row.append(spec.periphery.multiply_amplifier.draw((spec.pairs,), generator)[pair])
        rows.append(np.concatenate(row))
    return np.stack(rows)


def _draw_inputs(
    spec: ChipSpec, streams: Streams, grid: BlockGrid, placements: list[list[Placement | None]]
) -> InputErrors:
    drawn = []
    for blocks, places in zip(grid.blocks, placements, strict=True):
        first = blocks[0]
        generator = streams.generator(Purpose.CONVERTER_MISMATCH, first.tile, _DRIVERS)
        errors = spec.periphery.dac.draw((spec.rows,), generator)
        if errors.absent:
            return errors
        lines = _lines(places[0], spec)[first.of_rows]
        lines = np.pad(lines, (0, grid.rows - first.rows), mode="edge")  # to rows without cells
        levels = None if errors.levels is None else errors.levels[lines]
        drawn.append((errors.gain[lines], errors.offset[lines], levels, errors))
    last = drawn[0][3]
    tables = [levels for _, _, levels, _ in drawn if levels is not None]
    return InputErrors(
        gain=np.stack([gain for gain, _, _, _ in drawn])[:, None],
        offset=np.stack([offset for _, offset, _, _ in drawn])[:, None],
        levels=np.stack(tables)[:, None] if tables else None,
        noise=last.noise,
        only_active=last.only_active,
    )


@dataclass(frozen=True, slots=True, eq=False)
class SampleConverters:
    """The drawn converters of one tile's readings in the sample mode.

    Attributes:
        converters: one entry for each reading, ``(readings,)``.
        key: stream key of their noise, addressed by cycle.
    """

    converters: DrawnConverters
    key: np.uint64

    def convert(
        self, held: NDArray[np.float64], full_scale: float, temperature: float, first_cycle: int
    ) -> NDArray[np.float64]:
        """Convert readings ``(cycles, readings)`` [A] of consecutive cycles."""
        cycles, readings = held.shape
        count = self.converters.normals_per_conversion
        normals = None
        if count:
            addresses = np.arange(first_cycle, first_cycle + cycles, dtype=np.int64)
            drawn = addressed_normals(self.key, addresses, readings * count).reshape(cycles, readings, count)
            normals = drawn.transpose(2, 0, 1).astype(np.float64)
        return np.asarray(self.converters.convert(held, full_scale, normals, temperature))


def sample_converters(
    spec: ChipSpec,
    streams: Streams,
    tile: int,
    placement: Placement | None,
    readings: int,
    pairs_per_reading: int,
) -> SampleConverters | None:
    """Draw the sample mode's converters of a tile: a reading uses that of its first pair; None if they are perfect."""
    bank = draw_converters(spec.periphery.sample_adc, spec, streams, tile, samples=True)
    if bank is None:
        return None
    pair, _ = _physical(placement, spec)
    key = streams.key(Purpose.CONVERSION_NOISE, tile, _SAMPLE_CONVERTERS, 0)
    return SampleConverters(_take(bank, pair[: readings * pairs_per_reading : pairs_per_reading]), key)
