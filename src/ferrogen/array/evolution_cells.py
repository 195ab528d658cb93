"""Mean cells of a card, one a rung of a ladder of programmed states, that are followed through read cycles.

A mean cell has infinitely many domains (nodes of a quadrature) and no random flips. Its state after n cycles is found
without passing through each: the first cycle is followed as :class:`ferrogen.device.junction.Junction` does, in steps
that grow with the time; after it, blocks of cycles that grow in proportion to the cycles passed. A block is an implicit
step: its fields are those of the polarisation and the interface charge at its end,

    P = P[E_1(P, sigma(P)), E_2(P, sigma(P)), ...],

one field a phase, and what equal cycles in these fields do is known exactly (:mod:`...device.polarization.periodic`).
What a block leaves out is the change of the polarisation within one cycle, small after the first one, and the lag of
the charge, which settles within a phase.

Beside the probability of being up, every domain's chances of being up if it was up, or down, at the start are kept:
the scatter of cells with few domains follows from them (:mod:`.evolution`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.evolution_exposure import Phase, Stage, Train
from ferrogen.device.card import DeviceCard
from ferrogen.device.electrostatics.interface_charge import InterfaceSites, interface_charge_of, relaxed, settled
from ferrogen.device.electrostatics.stack import Stack, ferroelectric_field, stack_of
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.polarization.ensemble import DomainEnsemble, mean_domains
from ferrogen.device.polarization.periodic import CycleMap, FieldTrain, cycle_map, nested_map
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.programming.spec import ProgrammingSpec
from ferrogen.device.programming.trains import card_train
from ferrogen.device.reliability.age import Age
from ferrogen.device.reliability.aging import aged_switching
from ferrogen.device.reliability.arrhenius import slowdown
from ferrogen.device.reliability.imprint import Imprint, imprint_of
from ferrogen.device.roots import falling_root

Array = NDArray[np.float64]

NODES = (64, 16)
"""Nodes of the quadrature over a mean cell's domains: in activation field and in local bias."""

_RUNGS = 18  # that pulses reach, about
_BEYOND = (0.25, 0.5, 0.75, 1.0)  # of what they do not reach
_LEAST_DISTANCE = 1e-4  # of rungs, in the switched share
_OFFSET = 0.05  # of the switched share, by which the field of a rung's copy is off
_STEPS_PER_DECADE = 8  # of time or of cycles
_PULSE_STEPS = 3  # of a pulse's time
_FIRST_STEP = 1e-3  # over the attempt time, as in the junction
_GROWTH = 1.3  # of the cycles passed from block to block: 8.8 blocks a decade
_TOLERANCE = 1e-5  # of the polarisation, as a share of the remanent one
_MOST_TRIALS = 60
_IMPRINT_DECADES, _IMPRINT_BINS = 12, 3  # of time constants from the onset of imprint, and bins in each decade


@dataclass(frozen=True, slots=True)
class ImprintBins:
    """Imprint that follows a changing state: barriers spread evenly in energy, in bins of equal size.

    Each bin settles to the present polarisation with a time constant of its own, from the onset of imprint upwards. A
    state that stands still is imprinted by :func:`ferrogen.device.reliability.imprint.imprint_from_barriers`.

    Attributes:
        law: of the card.
    """

    law: Imprint

    @property
    def time_constants(self) -> Array:
        """Of the bins, at 300 K [s]."""
        return self.law.time * 10.0 ** ((np.arange(_IMPRINT_DECADES * _IMPRINT_BINS) + 0.5) / _IMPRINT_BINS)

    def field(self, imprinted: Array, temperature: float) -> Array:
        """Return the field [V/m] that favours up, shape ``(rungs,)``."""
        slope = self.law.field * temperature / REFERENCE_TEMPERATURE
        return np.asarray(slope * math.log(10.0) / _IMPRINT_BINS * imprinted.sum(axis=1))

    def settled(self, imprinted: Array, net: Array, time: float, temperature: float) -> Array:
        """Return the bins after a time [s] at a polarisation ``net`` over the remanent one."""
        scaled = time / slowdown(self.law.activation_energy, temperature)
        return np.asarray(net[:, None] + (imprinted - net[:, None]) * np.exp(-scaled / self.time_constants))


@dataclass(frozen=True, slots=True, eq=False)
class MeanState:
    """What the rungs remember.

    Attributes:
        start: probability of each domain to be up when the exposure began, shape ``(rungs, nodes)``.
        keep: the present probability is ``keep * start + gain``; same shape.
        gain: same shape.
        history: see :mod:`ferrogen.device.polarization.domains`; same shape.
        direction: likewise.
        charge: of every bin of interface sites [C/m^2], shape ``(rungs, bins)``.
        imprinted: polarisation over the remanent one to which each bin of imprint has settled, ``(rungs, bins)``.
    """

    start: Array
    keep: Array
    gain: Array
    history: Array
    direction: NDArray[np.int8]
    charge: Array
    imprinted: Array


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """What the rungs look like after an exposure; every array of shape ``(rungs,)``, by rising ``before``.

    Attributes:
        before: share switched on when the exposure began.
        kept: chance that a domain that was on is on.
        gained: chance that a domain that was off is on.
        damping: what the depolarisation field leaves of a deviation from the mean, 0 to 1: a cell with too many
            domains on sees a field that switches more of them off.
    """

    before: Array
    kept: Array
    gained: Array
    damping: Array

    @property
    def after(self) -> Array:
        """Share switched on now."""
        return self.before * self.kept + (1.0 - self.before) * self.gained


@dataclass(frozen=True, slots=True, eq=False)
class MeanCells:
    """The rungs; made by :func:`mean_cells`.

    Attributes:
        ensemble: domains of every rung, the same in each.
        stack: the layers.
        sites: of interface charge; None if the card describes none.
        imprint: of a stored state; None if the card says nothing.
        offset: by which a rung's field is off, as a switched share, shape ``(rungs,)``: zero, but for a second copy of
            all rungs where the field depends on the polarisation, which tells how strongly it does.
        programmed: state right after programming.
    """

    ensemble: DomainEnsemble
    stack: Stack
    sites: InterfaceSites | None
    imprint: ImprintBins | None
    offset: Array
    programmed: MeanState

    def shares(self, state: MeanState) -> Shares:
        """Return what a state looks like from outside."""
        weight = self.ensemble.weight
        before = (weight * state.start).sum(axis=1)
        on = (weight * state.start * (state.keep + state.gain)).sum(axis=1)
        off = (weight * (1.0 - state.start) * state.gain).sum(axis=1)
        own = before.size // 2 if self.coupled else before.size
        damping = np.ones(own)
        if self.coupled:
            damping = 1.0 / (1.0 + np.maximum(((on + off)[:own] - (on + off)[own:]) / _OFFSET, 0.0))
        kept, gained = (on / np.maximum(before, 1e-12))[:own], (off / np.maximum(1.0 - before, 1e-12))[:own]
        # The ends have no domain that is on, or off, and so no chance of its own: their neighbours' stands for it.
        kept[0], gained[-1] = kept[1], gained[-2]
        return Shares(before[:own], np.clip(kept, 0.0, 1.0), np.clip(gained, 0.0, 1.0), damping)

    def stored(self, state: MeanState, time: float, temperature: float) -> MeanState:
        """Return the state after a time [s] without voltage at a temperature [K]."""
        return self.phase(state, (0.0, time), temperature) if time > 0.0 else state

    def first_cycle(self, state: MeanState, stage: Stage, polarity: int) -> MeanState:
        """Return the state after one cycle of a stage: its first pulses are followed, and blocks of the others."""
        for train in turned(stage, polarity):
            for phase in train.phases:
                state = self.phase(state, phase, stage.temperature)
            pulse, reached = Train(train.phases), 1.0
            while (ahead := next_end(reached, train.count)) is not None:
                state = self.block(state, [pulse], ahead - reached, stage.temperature)
                reached = ahead
            if (rest := last_block(reached, train.count)) > 0.0:
                state = self.block(state, [pulse], rest, stage.temperature)
        return state

    def more_cycles(self, state: MeanState, stage: Stage, polarity: int, cycles: float) -> MeanState:
        """Return the state after one block of further cycles of a stage (at least 1)."""
        return self.block(state, turned(stage, polarity), cycles, stage.temperature)

    def phase(
        self, state: MeanState, phase: Phase, temperature: float, steps_per_decade: int = _STEPS_PER_DECADE
    ) -> MeanState:
        """Return the state after a constant voltage [V] for a time [s], followed as a junction is."""
        voltage, duration = phase
        for step in self._steps(duration, steps_per_decade):
            state = self.block(state, [Train(((voltage, step),))], 1.0, temperature)
        return state

    def _steps(self, duration: float, per_decade: int) -> list[float]:
        first = _FIRST_STEP * self.ensemble.attempt_time
        if self.sites is not None and self.sites.compensated_share > 0.0:
            first = min(first, 0.1 * self.sites.shortest)
        if not self.coupled or duration <= first:
            return [duration]
        count = max(1, math.ceil(per_decade * math.log10(duration / first)))
        edges = np.concatenate([[0.0], np.geomspace(first, duration, count + 1)])
        return [float(step) for step in np.diff(edges)]

    @property
    def coupled(self) -> bool:
        """Whether the field depends on the polarisation."""
        return self.stack.top_reduced_thickness + self.stack.bottom_reduced_thickness > 0.0

    def block(self, state: MeanState, trains: Sequence[Train], cycles: float, temperature: float) -> MeanState:
        """Return the state after equal cycles, by one implicit step.

        Args:
            state: before.
            trains: what a cycle consists of.
            cycles: at least 1.
            temperature: [K].
        """
        whole = cycles * math.fsum(train.period for train in trains)
        before = state.keep * state.start + state.gain
        remanent = self.ensemble.remanent_polarization
        favour = 0.0 if self.imprint is None else self.imprint.field(state.imprinted, temperature)

        def charged(polarization: Array) -> Array:
            return state.charge if self.sites is None else relaxed(self.sites, state.charge, polarization, whole)

        def moved(net: Array) -> CycleMap:
            """Follow the domains in the fields of a polarisation, given over the remanent one."""
            seen = (net + 2.0 * self.offset) * remanent
            charge = charged(seen).sum(axis=1)
            parts = []
            for train in trains:
                volts = np.array([[voltage] for voltage, _ in train.phases])
                fields = ferroelectric_field(self.stack, volts, seen, charge) + favour
                parts.append(FieldTrain(fields, tuple(duration for _, duration in train.phases), train.count))
            if len(parts) > 1:
                return nested_map(self.ensemble, state.history, state.direction, parts, cycles, temperature)
            only = parts[0]
            # A train that comes again and again is one longer train.
            return cycle_map(
                self.ensemble, state.history, state.direction, only.fields, only.durations, only.count * cycles,
                temperature,
            )  # fmt: skip

        def excess(net: Array) -> Array:
            found = moved(net)
            return self._net(found.keep * before + found.gain) - net

        # The function falls, so the root lies between where the polarisation was and where its field would send it.
        net = self._net(before)
        missed = excess(net)
        if float(np.abs(missed).max()) > _TOLERANCE:
            low, high = np.minimum(net, net + missed), np.maximum(net, net + missed)
            net = falling_root(excess, low, high, _TOLERANCE, _MOST_TRIALS) if self.coupled else high
        found = moved(net)
        keep, gain = found.keep * state.keep, found.keep * state.gain + found.gain
        net = self._net(keep * state.start + gain)
        imprinted = state.imprinted if self.imprint is None else self.imprint.settled(
            state.imprinted, net, whole, temperature)  # fmt: skip
        charge = charged((net + 2.0 * self.offset) * remanent)
        return MeanState(state.start, keep, gain, found.history, found.direction, charge, imprinted)

    def _net(self, up: Array) -> Array:
        """Return the polarisation over the remanent one, shape ``(rungs,)``."""
        return np.asarray((self.ensemble.weight * (2.0 * up - 1.0)).sum(axis=1))


def turned(stage: Stage, polarity: int) -> list[Train]:
    """Return a stage's trains with the sign of their voltages as the cells see it."""
    return [
        Train(tuple((polarity * voltage, duration) for voltage, duration in train.phases), train.count)
        for train in stage.trains
    ]


def next_end(reached: float, cycles: float) -> float | None:
    """Return where the next block ends on a grid that does not depend on ``cycles``; None if the last one is due.

    Blocks grow in proportion to the cycles passed. The last one has at least one cycle, or there is none.
    """
    ahead = max(reached + 1.0, float(round(reached * _GROWTH)))
    return ahead if ahead <= cycles - 1.0 or ahead == cycles else None


def last_block(reached: float, cycles: float) -> float:
    """Return the size of the last block, which ends off the grid; 0 if there is none."""
    return 0.0 if cycles <= reached else max(cycles - reached, 1.0)


def mean_cells(
    card: DeviceCard, program_erase_cycles: float | None = None, nodes: tuple[int, int] = NODES
) -> MeanCells:
    """Return the ladder of a card's programmed states.

    The lowest rung is off; further ones lie on the way of one train of the card's set pulses of rising amplitude, as
    write-verify gives them. The uppermost, up to all domains on, may be out of the pulses' reach: there every domain
    that is off is taken to be on with one chance.

    Args:
        card: with the sections [switching] and [programming].
        program_erase_cycles: that wake the film up and tire it; None: as the card describes it.
        nodes: of the quadrature over domains.

    Raises:
        CardError: the card has no section [switching] or no section [programming].
    """
    pulses = card.require(ProgrammingSpec)
    ensemble = mean_domains(card.require(SwitchingSpec), *nodes)
    imprint: ImprintBins | None = None
    if card.reliability is not None:
        imprint = ImprintBins(imprint_of(card.reliability))
        if program_erase_cycles is not None:
            ensemble = aged_switching(ensemble, card.reliability, Age(program_erase_cycles))
    sites = None if card.interface is None else interface_charge_of(card)
    charge = np.zeros((1, 1)) if sites is None else settled(sites, -ensemble.remanent_polarization)
    shape = ensemble.activation_field.shape
    down = np.zeros(shape, dtype=np.int8)
    off = MeanState(np.zeros(shape), np.ones(shape), np.zeros(shape), np.zeros(shape), down, charge, _nothing(1))
    one = MeanCells(ensemble, stack_of(card), sites, None, np.zeros(1), off)
    written = _rungs(one, pulses)
    up = np.concatenate([state.gain for state in written])
    # What pulses do not reach: ever more of what they left off, in equal shares.
    whole = float(np.sum(ensemble.weight * up[-1:])) > 1.0 - _LEAST_DISTANCE
    beyond = () if whole else _BEYOND
    up = np.concatenate([up, *(up[-1:] + part * (1.0 - up[-1:]) for part in beyond)])
    last = [written[-1]] * len(beyond)
    history, direction, charge = (
        np.concatenate([getattr(state, name) for state in (*written, *last)])
        for name in ("history", "direction", "charge")
    )
    copies = 2 if one.coupled else 1
    up, history, direction, charge = (np.concatenate([array] * copies) for array in (up, history, direction, charge))
    rungs = up.shape[0]
    ensemble = ensemble.select(np.zeros(rungs, dtype=np.int64))
    offset = np.zeros(rungs)
    offset[rungs // copies :] = _OFFSET
    programmed = MeanState(up, np.ones(up.shape), np.zeros(up.shape), history, direction, charge, _nothing(rungs))
    return MeanCells(ensemble, one.stack, sites, imprint, offset, programmed)


def _nothing(rungs: int) -> Array:
    """Return bins without imprint: programming ends that of the state before."""
    return np.zeros((rungs, _IMPRINT_DECADES * _IMPRINT_BINS))


def _rungs(cell: MeanCells, pulses: ProgrammingSpec) -> list[MeanState]:
    """Return states along a train of the card's set pulses of rising amplitude, evenly spread in the share.

    As in write-verify, the last amplitude is repeated, as often again as the train is long.
    """
    train = card_train(pulses, "amplitude")
    state = cell.programmed
    reached = [state]
    for amplitude in (*train.amplitude, *np.full(train.count, train.amplitude[-1])):
        state = cell.phase(state, (float(amplitude), float(train.width[0])), REFERENCE_TEMPERATURE, _PULSE_STEPS)
        state = cell.phase(state, (0.0, train.gap), REFERENCE_TEMPERATURE, _PULSE_STEPS)
        reached.append(state)
    shares = np.array([float(np.sum(cell.ensemble.weight * item.gain)) for item in reached])
    best = int(np.argmax(shares))
    chosen, level = [reached[0]], shares[0]
    for item, share in zip(reached[1 : best + 1], shares[1 : best + 1], strict=True):
        if share >= level + shares[best] / _RUNGS or (item is reached[best] and share > level + _LEAST_DISTANCE):
            chosen.append(item)
            level = share
    return chosen
