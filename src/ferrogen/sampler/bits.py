"""Random bits from single traps, whose probability the read voltage sets: p-bits.

A trap is occupied with the probability 1 / (1 + capture time / emission time), and detailed balance makes that ratio
exponential in the voltage: a logistic function of the voltage, p = 1 / (1 + exp(-(V - V_half) / w)), with
V_half = E / (q x) and w = kT / (q x) for a trap of level E at relative depth x (:mod:`ferrogen.device.noise.traps`).
So a stochastic unit with the activation z needs no table and no logistic function: its voltage is V_half + w z.

A bit takes three steps. The cell rests at the multiply voltage, where the trap empties (this erases the last bit; the
chip's products are made meanwhile); the bit's voltage is held for the sampling time, many times as long as the trap
needs to forget; then a comparator says whether the cell conducts less than a threshold: whether the trap is occupied.
The threshold scales with the voltage (a resistive divider sets it), so it is one conductance for all voltages.

Cells are chosen by what a self-test can find from traces (:mod:`ferrogen.calibration`); here it is taken from the
simulated cells. Chosen are cells in which one trap is fast enough to settle, slow enough to be seen, and larger than
all the cell's other traps and the amplifier's noise together: whatever the others do, they cannot turn the decision.

Each bit's voltage at p = 1/2 and width are then found from finite reads, by maximum likelihood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.core.arrays import finite_array
from ferrogen.core.errors import CapacityError, SilentCellsError, argument_error, check_number, is_whole
from ferrogen.core.streams import Purpose
from ferrogen.sampler.bit_cells import BitCells, find_bit_cells
from ferrogen.sampler.bit_kernels import addressed_uniforms, follow_cells
from ferrogen.sampler.logistic_fit import fit_logistic

BitFidelity = Literal["statistical", "cell"]
"""Bits drawn with their exact probability, or by following every trap of the cell and the comparator."""

MOST_CYCLES = 2**40
"""Cycles are numbered below this, so that they never meet the calibration's addresses."""


@dataclass(frozen=True, slots=True)
class BitSpec:
    """How bits are made.

    Attributes:
        lowest_voltage: of a bit [V]; below it a step is too small for the comparator.
        highest_voltage: of a bit [V]; None: the largest that the card allows.
        converter_bits: of the converter that sets the voltage (assumed: 8).
        sense_time: for which the comparator integrates [s] (assumed: 30 us). Moves of the trap meanwhile are left out.
        settling: the sampling time is at least so many times the trap's slowest time constant. Every bit starts from
            the rest, so what is left is no memory: it lowers the probability by at most exp(-settling) of itself, and
            calibration sees it.
        senses: the trap's slowest time constant is at least so many sense times.
        safety: standard deviations of the amplifier's noise between a level and the threshold, other traps at their
            worst.
        calibration_voltages: at how many voltages, evenly spread over the range, bits are counted.
        calibration_reads: how many bits at each.

    Raises:
        ArgumentError: a value that cannot be used.
    """

    lowest_voltage: float = 0.3
    highest_voltage: float | None = None
    converter_bits: int = 8
    sense_time: float = 3e-5
    settling: float = 6.0
    senses: float = 10.0
    safety: float = 4.0
    calibration_voltages: int = 16
    calibration_reads: int = 1024

    def __post_init__(self) -> None:
        check_number("lowest_voltage", self.lowest_voltage, "V")
        if self.highest_voltage is not None:
            check_number("highest_voltage", self.highest_voltage, "V")
            if self.highest_voltage <= self.lowest_voltage:
                raise argument_error(
                    "highest_voltage", f"exceed lowest_voltage, {self.lowest_voltage} V", f"{self.highest_voltage} V"
                )
        check_number("sense_time", self.sense_time, "s")
        for name in ("settling", "senses", "safety"):
            check_number(name, getattr(self, name), "1")
        for name, least, most in (
            ("converter_bits", 1, 24),
            ("calibration_voltages", 3, 1024),
            ("calibration_reads", 16, 2**20),
        ):
            if not is_whole(getattr(self, name), least, most):
                raise argument_error(name, f"be a whole number from {least} to {most}", getattr(self, name))


@dataclass(frozen=True, slots=True, eq=False)
class BitCalibration:
    """What calibration found of every bit, each of shape ``(bits,)``.

    Attributes:
        half: voltage at which a bit is 1 half of the time [V].
        width: volts by which the logit grows by one [V].
        reads: from how many bits each was found.
    """

    half: NDArray[np.float64]
    width: NDArray[np.float64]
    reads: int

    def reach(self, low: float, high: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the smallest and the largest logit that a range of voltages [V] gives, each ``(bits,)``."""
        return (low - self.half) / self.width, (high - self.half) / self.width


@dataclass(slots=True)
class BitSampler:
    """Draws bits of asked probabilities from traps.

    The bits of cycle k do not depend on what else is asked for, in what batches or order.

    Args:
        chip: with the tiles in ``tiles`` programmed to serve the sample mode.
        point: operating point: the rest's voltage and time, the sampling time (a bit's voltage is held for so long),
            and the temperature. The sample voltage is not used: each bit has its own.
        bits: how many.
        spec: how they are made.
        tiles: numbers of the tiles whose cells may serve; all sampling tiles, if not given.
        calibration: kept in use; found from ``spec.calibration_reads`` if not given.
        fidelity: ``statistical``: with the exact probability of the trap at its voltage; ``cell``: the trap followed by
            its dwell times, with the cell's other traps, noise and comparator (tens of times slower). The numbers
            differ, their statistics do not.

    Attributes:
        drawn: how many bits were drawn.
        out_of_reach: of these, how many had a probability that the range of voltages cannot give; they got the end's.

    Raises:
        ArgumentError: no bits, or an unknown fidelity.
        ValidityError: the point or the range of voltages lies outside the card's validity.
        SilentCellsError: the card has no traps, or none fast enough.
        CapacityError: fewer cells than bits are fit to serve.
    """

    chip: Chip
    point: OperatingPoint
    bits: int
    spec: BitSpec = field(default_factory=BitSpec)
    tiles: list[int] | None = None
    calibration: BitCalibration | None = None
    fidelity: BitFidelity = "statistical"
    drawn: int = 0
    out_of_reach: int = 0
    in_use: BitCalibration = field(init=False)
    cells: BitCells = field(init=False)
    _key: np.uint64 = field(init=False, repr=False)
    _voltages: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not is_whole(self.bits, 1):
            raise argument_error("bits", "be a whole number of at least 1", self.bits)
        if self.fidelity not in ("statistical", "cell"):
            raise argument_error("fidelity", "be 'statistical' or 'cell'", repr(self.fidelity))
        self.point.check(self.chip.device)
        high = self.spec.highest_voltage
        if high is None:
            high = self.chip.device.validity.read_voltage[1]
        self.chip.device.check("read_voltage", self.spec.lowest_voltage, "lowest_voltage")
        self.chip.device.check("read_voltage", high, "highest_voltage")
        self._voltages = np.linspace(self.spec.lowest_voltage, high, 2**self.spec.converter_bits)
        numbers = sorted(self.chip.tiles) if self.tiles is None else self.tiles
        found = find_bit_cells(
            [self.chip.tile(number) for number in numbers if self.chip.tile(number).samples],
            self.point,
            low=self.spec.lowest_voltage,
            high=high,
            sense_time=self.spec.sense_time,
            settling=self.spec.settling,
            senses=self.spec.senses,
            safety=self.spec.safety,
        )
        if found.count == 0:
            raise SilentCellsError(
                f"Card `{self.chip.device.name}` must give cells with one trap that outweighs the others and settles"
                f" within {self.point.sampling_time:g} s, but none of the {found.examined} examined has one. Take a"
                " card of smaller cells with traps (hzo-mfis-nor), or a longer sampling time (0.01 s, say)."
            )
        if found.count < self.bits:
            raise CapacityError(
                f"{self.bits} bits need as many cells, but {found.count} of the {found.examined} examined are fit to"
                " serve. Mark more tiles for sampling."
            )
        self.cells = found.first(self.bits)
        self._key = self.chip.streams.key(Purpose.BITS, 0)
        self.in_use = self._calibrate() if self.calibration is None else self.calibration
        if self.in_use.half.shape != (self.bits,):
            raise argument_error("calibration", f"be that of {self.bits} bits", f"of {self.in_use.half.shape[0]}")

    @property
    def bit_time(self) -> float:
        """Time of one bit of every cell [s]: rest, the bit's voltage, comparator."""
        return self.point.reset + self.point.sampling_time + self.spec.sense_time

    @property
    def reach(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Smallest and largest probability of every bit, each of shape ``(bits,)``, by its calibration."""
        low, high = self.in_use.reach(float(self._voltages[0]), float(self._voltages[-1]))
        return _logistic(low), _logistic(high)

    def probability(self, voltage: ArrayLike) -> NDArray[np.float64]:
        """Return the exact probability of 1 of every bit at voltages [V] that broadcast to ``(n, bits)``."""
        return self.cells.probability(np.asarray(voltage, dtype=np.float64), self.point)

    def _calibrate(self) -> BitCalibration:
        volts = np.linspace(self._voltages[0], self._voltages[-1], self.spec.calibration_voltages)
        reads = self.spec.calibration_reads
        ones = np.empty((volts.shape[0], self.bits))
        for k, volt in enumerate(volts):
            cycles = np.arange(k * reads, (k + 1) * reads, dtype=np.int64) + MOST_CYCLES
            ones[k] = self._at(np.full((1, self.bits), volt), cycles).sum(axis=0)
        half, width = fit_logistic(volts, ones, reads)
        return BitCalibration(half, width, reads * volts.shape[0])

    def _at(self, voltage: NDArray[np.float64], cycles: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return bits at voltages ``(n, bits)``, or ``(1, bits)`` for all cycles."""
        whole = np.broadcast_to(voltage, (cycles.shape[0], self.bits))
        if self.fidelity == "cell":
            return follow_cells(self._key, cycles, np.ascontiguousarray(whole), self.cells, self.point)
        uniforms = addressed_uniforms(self._key, cycles, self.bits)
        return (uniforms < self.probability(voltage)).astype(np.uint8)

    def draw_logits(self, logits: ArrayLike, cycles: ArrayLike) -> NDArray[np.uint8]:
        """Return bits whose log-odds of being 1 are ``logits``: the voltage is linear in them.

        Args:
            logits: finite, shape ``(n, bits)``.
            cycles: number of every row, from 0 to 2**40 - 1, shape ``(n,)``: the address of its noise.

        Raises:
            ArgumentError: values or shapes that cannot be used.
        """
        asked = finite_array("logits", logits, "1")
        rows = np.asarray(cycles)
        if asked.ndim != 2 or asked.shape[1] != self.bits or rows.shape != asked.shape[:1]:
            raise argument_error(
                "logits and cycles",
                f"have the shapes (n, {self.bits}) and (n,)",
                f"of shapes {asked.shape} and {rows.shape}",
            )
        if rows.dtype.kind not in "iu" or (rows.size and not (rows.min() >= 0 and rows.max() < MOST_CYCLES)):
            raise argument_error("cycles", "be whole numbers from 0 to 2**40 - 1", rows[:3])
        low, high = self._voltages[0], self._voltages[-1]
        voltage = self.in_use.half + self.in_use.width * asked
        self.drawn += asked.size
        self.out_of_reach += int(np.count_nonzero((voltage < low) | (voltage > high)))
        step = (high - low) / (self._voltages.shape[0] - 1)
        codes = np.rint(np.clip((voltage - low) / step, 0.0, self._voltages.shape[0] - 1.0))
        return self._at(low + step * codes, rows.astype(np.int64))

    def draw(self, probabilities: ArrayLike, first_cycle: int) -> NDArray[np.uint8]:
        """Return bits of asked probabilities, row k in cycle ``first_cycle + k``.

        Args:
            probabilities: from 0 to 1, shape ``(n, bits)``; 0 and 1 are out of every bit's reach.
            first_cycle: number of the first row's cycle.

        Raises:
            ArgumentError: values or shapes that cannot be used.
        """
        asked = finite_array("probabilities", probabilities, "1")
        if asked.size and not (asked.min() >= 0.0 and asked.max() <= 1.0):
            raise argument_error("probabilities", "lie in [0, 1]", f"between {asked.min():g} and {asked.max():g}")
        if not is_whole(first_cycle, 0, MOST_CYCLES):
            raise argument_error("first_cycle", "be a whole number from 0 to 2**40 - 1", first_cycle)
        tiny = math.ulp(0.0) ** 0.25  # 1e-81: beyond every reach, and finite as a logit
        logits = np.log(np.maximum(asked, tiny)) - np.log(np.maximum(1.0 - asked, tiny))
        return self.draw_logits(logits, first_cycle + np.arange(asked.shape[0], dtype=np.int64))


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))
