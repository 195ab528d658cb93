"""How the weights of an array drift while it is used: from programmed states and an exposure to present states.

The mean of a cell that was programmed to a share s comes from a ladder of mean cells (:mod:`.evolution_cells`), by
interpolation in s. A real cell has N domains, some 44 in the stand-in card, of which s N were on. Given that, each is
still on with the chance q, and each that was off is on with the chance g, both read from the ladder; domains drawn
independently give binomial numbers. They are stood for by beta distributions of the same mean and variance,

    kept ~ Beta[q (m - 1), (1 - q) (m - 1)],  m = s N,     gained ~ Beta[g (k - 1), (1 - g) (k - 1)],  k = (1 - s) N,

that need no whole m, at two quantiles which belong to the cell, whatever the exposure: so that a cell's trajectory is
one function of the cycles, moves one way (to within one domain) as q falls and g rises, and can be asked for at any
cycle without those in between. Domains of a cell with layers are not quite independent: one more that is on makes a
depolarisation field that switches others off. What that leaves of a deviation, the ladder's damping says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ferrogen.array.condition import Condition
from ferrogen.array.evolution_cells import NODES, MeanCells, MeanState, Shares, last_block, mean_cells, next_end
from ferrogen.array.evolution_exposure import Exposure, Stage
from ferrogen.core.errors import argument_error, is_whole
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import DeviceCard
from ferrogen.device.junction import OWN_MODEL
from ferrogen.device.polarization.ensemble import domains_per_cell
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.reliability.aging import aged_polarization

Array = NDArray[np.float64]
Polarity = Literal[1, -1]

READ_POLARITY: Polarity = -1
"""Sign of a read against the set pulses' direction: negative at the electrode from which cards count a trap's depth,
the top one, as it must be to pull the trap down (decision 9)."""

_MOST_LADDERS = 8  # that are kept, of three megabytes each
_MOST_KEPT = 250  # states of the ladder, of a megabyte each
_TABLES_KEPT = 16
_QUANTILES = 65  # of the normal distribution, over which the beta distributions are tabulated
_REACH = 4.5  # standard deviations; one cell in 150,000 lies beyond, and is put there
_LEAST_DOMAINS = 0.05  # that vary: a part of a cell with one domain, or less, is on or off


@dataclass(slots=True)
class Evolution:
    """Follows the cells of a card's arrays through read cycles, storage and age.

    Everything is a function of (card, polarity, seed, tile, writing, exposure).

    Args:
        card: the device card. Without the sections [switching] and [programming], or with the device model of
            another package, cells keep what was programmed: see :attr:`remark`.
        polarity: 1 if a positive read voltage lies along set pulses, -1 if against them.
        seed: of the cell-to-cell scatter.
        scatter: whether cells scatter; without it all follow the mean.
        nodes: of the quadrature over a mean cell's domains, in activation field and local bias. The default is right
            to 1 % of the range (0.3 % rms), and (32, 12), quicker, to 2 % (benchmarks/weight_drift.py).

    Raises:
        ArgumentError: a polarity that is not 1 or -1, or a seed that is none.
    """

    card: DeviceCard
    polarity: Polarity = READ_POLARITY
    seed: int = 0
    scatter: bool = True
    nodes: tuple[int, int] = NODES
    _cells: dict[float | None, MeanCells] = field(default_factory=dict, init=False, repr=False)
    _tables: dict[Exposure, Shares] = field(default_factory=dict, init=False, repr=False)
    _trajectories: dict[tuple[object, ...], list[MeanState]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.polarity not in (1, -1):
            raise argument_error("polarity", "be 1 (along set pulses) or -1 (against them)", repr(self.polarity))
        Streams(self.seed)

    @property
    def remark(self) -> str:
        """Why cells are not followed, in one sentence; empty if they are."""
        if self.card.model != OWN_MODEL:
            return (
                f"Card '{self.card.name}' uses the device model '{self.card.model}', which arrays do not follow:"
                " cells keep what was programmed."
            )
        missing = [name for name in ("switching", "programming") if getattr(self.card, name) is None]
        if missing:
            named = " and ".join(f"[{name}]" for name in missing)
            return f"Card '{self.card.name}' has no section {named}: cells keep what was programmed."
        return ""

    def extrapolations(self, exposure: Exposure) -> tuple[str, ...]:
        """Return one sentence for each way in which an exposure lies outside of what the card holds for."""
        said = [self.card.extrapolation("temperature", stage.temperature, "temperature") for stage in exposure.stages]
        if exposure.program_erase_cycles is not None:
            if self.card.reliability is None:
                said.append(
                    f"Card '{self.card.name}' has no section [reliability]: program/erase cycles change nothing."
                )
            elif self.card.validity.cycles is not None:
                said.append(self.card.extrapolation("cycles", exposure.program_erase_cycles, "program_erase_cycles"))
        if self.card.validity.storage_time is not None:
            said.append(self.card.extrapolation("storage_time", exposure.time, "storage_time"))
        return tuple(dict.fromkeys(sentence for sentence in said if sentence))

    def after(self, switched_fraction: Array, exposure: Exposure, *, tile: int = 0, writing: int = 0) -> Condition:
        """Return the condition of an array's cells after an exposure.

        Args:
            switched_fraction: as programmed, 0 to 1, shape ``(rows, columns)``.
            exposure: what they went through since.
            tile: number of the array: address of its cells' scatter.
            writing: how often the array was programmed before: new states scatter anew.

        Raises:
            ArgumentError: a share outside 0 to 1, or a tile or writing that is no whole number from 0.
            ValidityError: a voltage or temperature for which the card is not stated to hold.
        """
        shares = np.asarray(switched_fraction, dtype=np.float64)
        if shares.ndim != 2 or not np.all((shares >= 0.0) & (shares <= 1.0)):
            raise argument_error(
                "switched_fraction",
                "lie between 0 and 1 and have the shape (rows, columns)",
                f"of shape {shares.shape}",
            )
        for name, number in (("tile", tile), ("writing", writing)):
            if not is_whole(number, 0):
                raise argument_error(name, "be a whole number from 0", repr(number))
        if self.remark:
            return Condition(np.array(shares), remark=self.remark)
        table = self.table(exposure)
        on, off = self.conductance_factors(exposure)
        if not self.scatter:
            present = np.interp(shares, table.before, table.after)
        else:
            generator = Streams(self.seed).generator(Purpose.DISTURB, tile, writing)
            present = self._scattered(shares, table, generator.standard_normal((2, *shares.shape)))
        return Condition(np.clip(present, 0.0, 1.0), on, off)

    def table(self, exposure: Exposure) -> Shares:
        """Return what the mean cells of the ladder have become.

        Raises:
            CardError: the card has no section [switching] or [programming].
            ValidityError: a voltage or temperature for which the card is not stated to hold.
        """
        if exposure not in self._tables:  # an array's tiles share a few
            self._check(exposure)
            cells = self.mean_cells(exposure.program_erase_cycles)
            while len(self._tables) >= _TABLES_KEPT:
                self._tables.pop(next(iter(self._tables)))
            self._tables[exposure] = cells.shares(self._state(cells, exposure))
        return self._tables[exposure]

    def conductance_factors(self, exposure: Exposure) -> tuple[float, float]:
        """Return on and off conductance after the program/erase cycles over those that the card states.

        A polarisation of w times the card's moves both barriers by w times as much. As ln G goes in proportion to the
        polarisation (:func:`ferrogen.device.transport.thermal.leakage_current`), the states come nearer to their
        geometric mean: (G_on / G_off)^((w - 1) / 2) for on, the reciprocal for off. Assumed for all mechanisms.
        """
        if exposure.program_erase_cycles is None or self.card.reliability is None:
            return 1.0, 1.0
        share = float(aged_polarization(self.card.reliability, exposure.program_erase_cycles))
        factor = (self.card.on_conductance.value / self.card.off_conductance.value) ** (0.5 * (share - 1.0))
        return factor, 1.0 / factor

    @property
    def domains(self) -> int:
        """Number of domains of a cell.

        Raises:
            CardError: the card has no section [switching].
        """
        return domains_per_cell(self.card.require(SwitchingSpec), self.card.cell_area.value)

    def _check(self, exposure: Exposure) -> None:
        self.card.check("temperature", exposure.storage_temperature, "storage_temperature")
        for stage in exposure.stages:
            self.card.check("temperature", stage.temperature, "temperature")
            if self.card.validity.program_voltage is not None:
                largest = max(map(abs, stage.voltages))
                if largest > self.card.range_of("program_voltage")[1]:
                    self.card.check("program_voltage", largest, "voltage")

    def mean_cells(self, program_erase_cycles: float | None = None) -> MeanCells:
        """Return the ladder of programmed states, aged by program/erase cycles.

        Raises:
            CardError: the card has no section [switching] or [programming].
        """
        if program_erase_cycles not in self._cells:
            if len(self._cells) >= _MOST_LADDERS:
                del self._cells[next(iter(self._cells))]
            self._cells[program_erase_cycles] = mean_cells(self.card, program_erase_cycles, self.nodes)
        return self._cells[program_erase_cycles]

    def _state(self, cells: MeanCells, exposure: Exposure) -> MeanState:
        """Return the ladder after an exposure: from states on a fixed grid of cycles, which are kept."""
        address: tuple[object, ...] = (
            exposure.program_erase_cycles, exposure.storage_time, exposure.storage_temperature,
        )  # fmt: skip
        state = self._kept(
            (*address, "storage"), 0,
            lambda _: cells.stored(cells.programmed, exposure.storage_time, exposure.storage_temperature),
        )  # fmt: skip
        for stage in exposure.stages:
            state = self._stage(cells, state, stage, (*address, stage.trains, stage.temperature))
            address = (*address, stage)
        return state

    def _stage(self, cells: MeanCells, state: MeanState, stage: Stage, address: tuple[object, ...]) -> MeanState:
        reached, number = 1.0, 0
        begun = state
        state = self._kept(address, 0, lambda _: cells.first_cycle(begun, stage, self.polarity))
        while (ahead := next_end(reached, stage.cycles)) is not None:
            more = partial(cells.more_cycles, stage=stage, polarity=self.polarity, cycles=ahead - reached)
            state = self._kept(address, number + 1, more)
            reached, number = ahead, number + 1
        rest = last_block(reached, stage.cycles)
        return cells.more_cycles(state, stage, self.polarity, rest) if rest > 0.0 else state

    def _kept(self, address: tuple[object, ...], number: int, make: Callable[[MeanState], MeanState]) -> MeanState:
        trajectory = self._trajectories.setdefault(address, [])
        if number == len(trajectory):
            trajectory.append(make(trajectory[-1] if trajectory else None))  # type: ignore[arg-type]
            while len(self._trajectories) > 1 and sum(map(len, self._trajectories.values())) > _MOST_KEPT:
                oldest = next(key for key in self._trajectories if key != address)
                del self._trajectories[oldest]  # it is found again, the same, when it is asked for
        return trajectory[number]

    def _scattered(self, shares: Array, table: Shares, normals: Array) -> Array:
        """Return present shares of cells: kept and gained at the cells' own quantiles; see the module."""
        at = np.linspace(-_REACH, _REACH, _QUANTILES)
        level = special.ndtr(at)
        number = float(self.domains)
        kept = _beta_quantiles(table.kept, number * table.before, level)
        gained = _beta_quantiles(table.gained, number * (1.0 - table.before), level)
        free = shares * _bilinear(table.before, at, kept, shares, normals[0])
        free += (1.0 - shares) * _bilinear(table.before, at, gained, shares, normals[1])
        mean = np.interp(shares, table.before, table.after)
        return np.asarray(mean + np.interp(shares, table.before, table.damping) * (free - mean))


def _beta_quantiles(mean: Array, domains: Array, level: Array) -> Array:
    """Return quantiles of the beta distribution of a share with a mean and the variance of ``domains`` draws."""
    freedom = np.maximum(domains - 1.0, _LEAST_DOMAINS)[:, None]
    safe = np.clip(mean, 1e-9, 1.0 - 1e-9)[:, None]
    found = special.betaincinv(safe * freedom, (1.0 - safe) * freedom, level)
    certain = (mean[:, None] <= 1e-9) | (mean[:, None] >= 1.0 - 1e-9)
    return np.asarray(np.where(certain, mean[:, None], found))


def _bilinear(x: Array, y: Array, table: Array, at_x: Array, at_y: Array) -> Array:
    i = np.clip(np.searchsorted(x, at_x, side="right") - 1, 0, x.size - 2)
    u = np.clip((at_x - x[i]) / (x[i + 1] - x[i]), 0.0, 1.0)
    where = np.clip((at_y - y[0]) / (y[1] - y[0]), 0.0, y.size - 1.0)
    j = np.minimum(where.astype(np.int64), y.size - 2)
    v = where - j
    lower = table[i, j] * (1.0 - v) + table[i, j + 1] * v
    upper = table[i + 1, j] * (1.0 - v) + table[i + 1, j + 1] * v
    return np.asarray(lower * (1.0 - u) + upper * u)
