"""Bits drawn: uniforms by address, and traps followed by their dwell times through rest and bit."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.chip.point import OperatingPoint
from ferrogen.core.distributions import exponential, normal, seed_local, seed_object, uniform
from ferrogen.core.philox import open_uniform, philox
from ferrogen.sampler.bit_cells import BitCells

Array = NDArray[np.float64]


@njit(cache=True, nogil=True)
def _fill_uniforms(key: np.uint64, cycles: NDArray[np.int64], out: Array) -> None:
    for k in range(out.shape[0]):
        for bit in range(out.shape[1]):
            word, _ = philox(key, np.uint64(cycles[k]), np.uint64(bit))
            out[k, bit] = open_uniform(word)


def addressed_uniforms(key: np.uint64, cycles: NDArray[np.int64], bits: int) -> Array:
    """Return uniforms in (0, 1), each a function of its cycle and bit, shape ``(cycles, bits)``."""
    out = np.empty((cycles.shape[0], bits))
    _fill_uniforms(key, cycles, out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(
    key: np.uint64,
    cycles: NDArray[np.int64],
    capture: Array,
    emission: Array,
    resting: Array,
    duration: float,
    other_starts: NDArray[np.int64],
    other_occupancy: Array,
    other_steps: Array,
    step: Array,
    threshold: Array,
    noise: Array,
    out: NDArray[np.uint8],
) -> None:
    state = np.empty(2, dtype=np.uint64)
    for bit in range(out.shape[1]):
        own = seed_object(key, np.uint64(bit))
        for k in range(out.shape[0]):
            seed_local(state, own, cycles[k])
            occupied = uniform(state) < resting[bit]
            left = duration
            while True:
                rate = emission[k, bit] if occupied else capture[k, bit]
                left -= exponential(state) / rate
                if left < 0.0:
                    break
                occupied = not occupied
            lowered = step[bit] if occupied else 0.0
            for other in range(other_starts[bit], other_starts[bit + 1]):
                if uniform(state) < other_occupancy[k, other]:
                    lowered += other_steps[other]
            lowered += noise[bit] * normal(state)
            out[k, bit] = lowered > threshold[bit]


def follow_cells(
    key: np.uint64, cycles: NDArray[np.int64], voltage: Array, cells: BitCells, point: OperatingPoint
) -> NDArray[np.uint8]:
    """Return what the comparators say, every cell followed through its cycle, shape ``(cycles, bits)``.

    The trap that is read starts from its occupancy at rest and is followed by its dwell times; a cell's other traps are
    where they settle at the voltage; the noise is that of the lowest voltage, the worst.

    Args:
        key: stream key.
        cycles: number of every row.
        voltage: of every bit [V], shape ``(cycles, bits)``.
        cells: that serve.
        point: operating point.
    """
    capture, emission = cells.trap.rates(voltage, point.temperature)
    place = np.repeat(np.arange(cells.count), np.diff(cells.other_starts))
    other_capture, other_emission = cells.others.rates(voltage[:, place], point.temperature)
    out = np.empty(voltage.shape, dtype=np.uint8)
    _follow(
        key,
        cycles,
        capture,
        emission,
        cells.resting(point),
        point.sampling_time,
        cells.other_starts,
        other_capture / (other_capture + other_emission),
        cells.other_steps,
        cells.step,
        cells.threshold,
        cells.noise,
        out,
    )
    return out
