"""The moments at which traps switch: the very history behind the numbers of :func:`.windows.window_sums`.

The window sampler never needs most of these moments. A *followed* trap has them on the way, from the same draws; they
are only written down here. For a *counted* trap the sampler draws, phase by phase, n1 to-1 points, n0 to-0 points, the
last one's outcome and the occupied fraction f. Given these, what is left open is drawn here, from draws of its own:
the order of the points is uniform among those with the right end, and of the n1 + n0 + 1 exchangeable pieces those
that follow a 1 share f, the others 1 - f, each as normalised exponentials (a Dirichlet vector given the sum of a part
of its entries is two scaled Dirichlet vectors). So occupied times and end states of a history are those of the window
sampler with the same key and address, up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.core.distributions import (
    POISSON_PLAN,
    beta_integer,
    exponential,
    prepare_poisson,
    seed_local,
    seed_object,
    uniform,
)
from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.device.noise.rtn.kernel import (
    _EMPTY,
    _FRACTIONS,
    _FROZEN_BELOW,
    _FROZEN_COUNTER,
    _LOOK_BACK_LIMIT,
    _WAITING,
    _block_log2,
    _fill_hazard,
    _is_counted,
    _points,
)

# Added to a phase's number, counted from cycle 0: where the order and the lengths of its pieces are drawn.
_PIECES = 1 << 60


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _note(flips: NDArray[np.float64], count: int, moment: float) -> int:
    """Write a switch down, if there is room; return how many there are now."""
    if count < flips.shape[0]:
        flips[count] = moment
    return count + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(
    state: NDArray[np.uint64],
    hazard: NDArray[np.float64],
    edge: NDArray[np.float64],
    occupied: int,
    first: int,
    stop: int,
    start: float,
    flips: NDArray[np.float64],
    count: int,
) -> tuple[int, int, int]:
    """Follow a trap through a block to cycle ``stop``: (state at cycle ``first``, state at the end, switches noted).

    As ``kernel._follow``, whose draws it repeats. A state is -1 as long as it is the one on entry, if that is unknown.

    Args:
        state: local generator, seeded for this block.
        hazard: expected events of each phase in each mode, the last column the cycle's.
        edge: when each phase begins within the cycle [s]; the last entry is the period.
        occupied: the state on entry, or -1.
        first: first cycle of the block whose switches are wanted.
        stop: first cycle not to be simulated.
        start: time at which cycle 0 of the block begins [s].
        flips: where switches are noted [s].
        count: how many are noted already.
    """
    phases = hazard.shape[1] - 1
    period = edge[phases]
    mode = _WAITING
    cycle, phase = 0, 0
    rest = 1.0
    entry = occupied
    left = exponential(state)
    while cycle < stop:
        ahead = hazard[mode, phase] * rest
        if left < ahead:
            rest -= left / hazard[mode, phase]
            if mode == _WAITING:
                now = 1 if uniform(state) * hazard[_WAITING, phase] < hazard[_EMPTY, phase] else 0
            else:
                now = 1 - occupied
            if now != occupied and cycle >= first:
                width = edge[phase + 1] - edge[phase]
                count = _note(flips, count, start + cycle * period + edge[phase + 1] - rest * width)
            occupied = now
            mode = now
            left = exponential(state)
            continue
        left -= ahead
        rest = 1.0
        phase += 1
        if phase == phases:
            phase = 0
            cycle += 1
            quiet = 0
            if cycle < stop and left >= hazard[mode, phases]:  # nothing happens for some whole cycles
                ratio = left / hazard[mode, phases]
                quiet = stop - cycle if ratio >= stop - cycle else int(ratio)
                left = max(left - quiet * hazard[mode, phases], 0.0)
            if cycle <= first <= cycle + quiet:
                entry = occupied
            cycle += quiet
    return entry, occupied, count


@njit(cache=True, nogil=True, error_model="numpy")
def _followed(
    own: tuple[np.uint64, np.uint64],
    state: NDArray[np.uint64],
    hazard: NDArray[np.float64],
    moves: float,
    edge: NDArray[np.float64],
    first_cycle: int,
    cycles: int,
    flips: NDArray[np.float64],
) -> tuple[int, int]:
    """Return (state at the beginning, number of switches) of a trap that seldom moves, and note its switches."""
    phases = hazard.shape[1] - 1
    total = hazard[_WAITING, phases]
    log2 = _block_log2(total, moves)
    length = 1 << log2
    block = first_cycle >> log2
    occupied = -1
    look = block
    while occupied < 0:
        look -= 1
        if total * length < _FROZEN_BELOW or block - look > _LOOK_BACK_LIMIT:
            seed_local(state, own, _FROZEN_COUNTER)
            occupied = 1 if uniform(state) * total < hazard[_EMPTY, phases] else 0
            break
        seed_local(state, own, look)
        _, occupied, _ = _follow(state, hazard, edge, -1, length, length, 0.0, flips[:0], 0)
    last_cycle = first_cycle + cycles
    initial, count = -1, 0
    while block << log2 < last_cycle:
        start = block << log2
        first = max(first_cycle - start, 0)
        stop = min(last_cycle - start, length)
        seed_local(state, own, block)
        begin = (start - first_cycle) * edge[phases]
        entry, occupied, count = _follow(state, hazard, edge, occupied, first, stop, begin, flips, count)
        if initial < 0:
            initial = entry
        block += 1
    return initial, count


@njit(cache=True, nogil=True, error_model="numpy")
def _pieces(
    state: NDArray[np.uint64],
    own: tuple[np.uint64, np.uint64],
    counter: int,
    points: tuple[int, int, int],
    occupied: int,
    share: float,
    begin: float,
    end: float,
    flips: NDArray[np.float64],
    count: int,
) -> int:
    """Lay ``points`` = (n1, n0, last outcome) into [begin, end) so that ``share`` of it is occupied; note switches."""
    width = end - begin
    sums = np.zeros(2)
    at = begin
    for writing in range(2):  # the same draws twice: lengths are only known once their sums are
        seed_local(state, own, counter)
        ones, zeros = points[0] - points[2], points[1] - (1 - points[2])
        now = occupied
        for k in range(points[0] + points[1] + 1):
            if k > 0:
                before = now
                if ones + zeros == 0:
                    now = points[2]
                else:
                    now = 1 if uniform(state) * (ones + zeros) < ones else 0
                    ones -= now
                    zeros -= 1 - now
                if writing == 1 and now != before:
                    count = _note(flips, count, at)
            length = exponential(state)
            if writing == 0:
                sums[now] += length
            else:
                at += width * length * (share / sums[1] if now == 1 else (1.0 - share) / sums[0])
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _counted(
    own: tuple[np.uint64, np.uint64],
    state: NDArray[np.uint64],
    other: NDArray[np.uint64],
    edge: NDArray[np.float64],
    plans: NDArray[np.float64],
    first_cycle: int,
    cycles: int,
    flips: NDArray[np.float64],
) -> tuple[int, int]:
    """Return (state at the beginning, number of switches) of a fast trap, and note its switches."""
    phases = edge.shape[0] - 1
    occupied = -1
    look = first_cycle
    while occupied < 0:
        look -= 1
        seed_local(state, own, look)
        for phase in range(phases):
            _, _, last = _points(state, plans, phase)
            if last >= 0:
                occupied = last
    initial, count = occupied, 0
    for cycle in range(first_cycle, first_cycle + cycles):
        seed_local(state, own, cycle)
        for phase in range(phases):
            n1, n0, last = _points(state, plans, phase)
            if (n1 if occupied == 0 else n0) > 0:
                number = cycle * phases + phase
                ones, zeros = n1 + occupied, n0 + 1 - occupied
                seed_local(other, own, number + _FRACTIONS)
                share = beta_integer(other, ones, zeros)
                begin = (cycle - first_cycle) * edge[phases]
                count = _pieces(
                    other, own, number + _PIECES, (n1, n0, last), occupied, share, begin + edge[phase],
                    begin + edge[phase + 1], flips, count,
                )  # fmt: skip
            if last >= 0:
                occupied = last
    return initial, count


@njit(cache=True, nogil=True, error_model="numpy")
def _history(
    key: np.uint64,
    trap_address: NDArray[np.uint64],
    to_one: NDArray[np.float64],
    to_zero: NDArray[np.float64],
    edge: NDArray[np.float64],
    first_cycle: int,
    cycles: int,
    starts: NDArray[np.int64],
    flips: NDArray[np.float64],
    initial: NDArray[np.bool_],
) -> None:
    """Count switches into ``starts[1:]`` if ``flips`` is empty, else note trap k's from ``flips[starts[k]]`` on."""
    phases = to_one.shape[1]
    counting = flips.shape[0] == 0
    state = np.empty(2, dtype=np.uint64)
    other = np.empty(2, dtype=np.uint64)
    plans = np.empty(2 * phases * POISSON_PLAN, dtype=np.float64)
    hazard = np.empty((3, phases + 1), dtype=np.float64)
    for trap in range(to_one.shape[0]):
        moves = _fill_hazard(to_one, to_zero, trap, hazard)
        own = seed_object(key, trap_address[trap])
        place = flips if counting else flips[starts[trap] : starts[trap + 1]]
        if not _is_counted(hazard[_WAITING, phases], moves):
            begin, count = _followed(own, state, hazard, moves, edge, first_cycle, cycles, place)
        else:
            for phase in range(phases):
                prepare_poisson(to_one[trap, phase], plans, 2 * phase * POISSON_PLAN)
                prepare_poisson(to_zero[trap, phase], plans, (2 * phase + 1) * POISSON_PLAN)
            begin, count = _counted(own, state, other, edge, plans, first_cycle, cycles, place)
        initial[trap] = begin == 1
        if counting:
            starts[trap + 1] = count


@dataclass(frozen=True, slots=True, eq=False)
class TrapHistory:
    """When each of some traps switched.

    Attributes:
        initial: whether each trap was occupied at time 0, shape ``(traps,)``.
        starts: switches of trap k are ``times[starts[k]:starts[k + 1]]``, shape ``(traps + 1,)``.
        times: of the switches [s], rising for each trap, from the beginning of the first cycle.
        duration: how long the history is [s].
    """

    initial: NDArray[np.bool_]
    starts: NDArray[np.int64]
    times: NDArray[np.float64]
    duration: float

    @property
    def trap(self) -> NDArray[np.int64]:
        """Which trap each switch belongs to, shape ``(switches,)``."""
        return np.repeat(np.arange(self.initial.shape[0]), np.diff(self.starts))

    @property
    def direction(self) -> NDArray[np.float64]:
        """+1 for a switch to occupied, -1 for one to empty, shape ``(switches,)``."""
        turn = np.arange(self.times.shape[0]) - self.starts[self.trap]
        return np.where((turn % 2 == 1) == self.initial[self.trap], 1.0, -1.0)

    def occupied_time(self, begin: float, end: float) -> NDArray[np.float64]:
        """Return how long each trap was occupied between two times [s], shape ``(traps,)``."""
        left = np.clip(end - np.clip(self.times, begin, end), 0.0, None) * self.direction
        moved = np.bincount(self.trap, weights=left, minlength=self.initial.shape[0])
        return np.asarray(self.initial * (end - begin) + moved, dtype=np.float64)


def trap_history(
    key: np.uint64,
    trap_address: NDArray[np.uint64],
    to_one: NDArray[np.float64],
    to_zero: NDArray[np.float64],
    durations: NDArray[np.float64],
    *,
    first_cycle: int,
    cycles: int,
) -> TrapHistory:
    """Return every switch of some traps in consecutive cycles of a schedule.

    Args:
        key: stream key (:meth:`ferrogen.core.streams.Streams.key`).
        trap_address: address of each trap below the key, shape ``(traps,)``.
        to_one: capture rate x duration of each phase, shape ``(traps, phases)``, as for :func:`.windows.window_sums`.
        to_zero: emission rate x duration, same shape.
        durations: of the phases [s], shape ``(phases,)``.
        first_cycle: number of the first cycle (not negative).
        cycles: how many.

    Returns:
        The history that ``window_sums`` with the same key, addresses and rates averages.

    Raises:
        ArgumentError: arrays that do not belong together, expected numbers that are negative or not finite, a duration
            that is not positive, a negative cycle.
    """
    one, zero = (np.ascontiguousarray(part, dtype=np.float64) for part in (to_one, to_zero))
    address = np.ascontiguousarray(trap_address, dtype=np.uint64)
    if one.ndim != 2 or one.shape != zero.shape or address.shape != one.shape[:1]:
        raise argument_error(
            "to_one", "have one row a trap and one column a phase, as `to_zero` has, and a row an address",
            f"of shape {one.shape} beside {zero.shape} and {address.shape}",
        )  # fmt: skip
    for name, means in (("to_one", one), ("to_zero", zero)):
        if not np.all(np.isfinite(means) & (means >= 0.0)):
            raise argument_error(name, "hold expected numbers that are finite and not negative", means.ravel()[:3])
    length = np.asarray(durations, dtype=np.float64)
    if length.shape != one.shape[1:]:
        raise argument_error(
            "durations", f"hold one time for each of {one.shape[1]} phases", f"of shape {length.shape}"
        )
    for value in length:
        check_number("durations", float(value), "s")
    for name, value, least in (("first_cycle", first_cycle, 0), ("cycles", cycles, 1)):
        if not is_whole(value, least, 2**40):
            raise argument_error(name, f"be a whole number from {least} to 2**40", value)
    edge = np.concatenate([[0.0], np.cumsum(length)])
    initial = np.zeros(one.shape[0], dtype=np.bool_)
    starts = np.zeros(one.shape[0] + 1, dtype=np.int64)
    arguments = (key, address, one, zero, edge, first_cycle, cycles)
    _history(*arguments, starts, np.empty(0), initial)
    starts = np.cumsum(starts)
    times = np.empty(int(starts[-1]))
    if times.shape[0]:
        _history(*arguments, starts, times, initial)
    return TrapHistory(initial, starts, times, cycles * float(edge[-1]))
