"""The junction as a whole: domains that switch in the field that the stack leaves them, and the current that is read.

With layers or screening beside the ferroelectric, the polarisation lowers the very field that makes it (the
depolarisation field), and interface charge follows it slowly. A pulse is therefore cut into steps that grow in
proportion to the time passed, as switching and trapping run on a logarithmic clock, and in each step the field is the
one that belongs to the polarisation and the charge at its end,

    E = E_F(V, P(E), sigma(E)),

an implicit step: the right side falls with E, so the root is bracketed and found cell by cell. Without
such layers the field does not depend on the polarisation, and one step is exact however long.

Voltage, field and polarisation count positive towards the on state: domains that are up in
:mod:`ferrogen.device.polarization` lie along a positive field and are switched on. In a stack
(:mod:`ferrogen.device.electrostatics.stack`) a positive field points down, so that the on state's polarisation points
to the bottom electrode. Where a card's barriers conduct better with the polarisation up (``hzo-3nm-direct``;
:func:`ferrogen.device.transport.read_model.compact_of` says which), the junction is that stack seen from below: its
positive voltage is the bottom electrode's, and every equation here is the same under that turn but for the sign of a
built-in voltage or a bias of the domains, which such a card must not have, and the read current is that of a read
against the set pulse's direction (positive at the top electrode), for which such a card states it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import DeviceCard
from ferrogen.device.electrostatics.interface_charge import InterfaceSites, interface_charge_of, relaxed, settled
from ferrogen.device.electrostatics.stack import Stack, ferroelectric_field, stack_of
from ferrogen.device.interface import DeviceModelFactory, JunctionModel
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE, draw_parameter
from ferrogen.device.parameter import Quantity
from ferrogen.device.polarization import domains
from ferrogen.device.polarization.ensemble import DomainEnsemble, DomainState, draw_domains
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.registry import plugged_model
from ferrogen.device.roots import falling_root
from ferrogen.device.transport.compact import read_current

OWN_MODEL: Final = "domain-ensemble"
"""Name of ferrogen's own device model, which cards use if they name no other."""

MOST_DOMAINS: Final = 1000
"""Domains that a cell is followed with unless told otherwise."""

_STEPS_PER_DECADE = 8
_FIRST_STEP = 1e-3  # over the attempt time: even in an infinite field so little switches meanwhile
_FIELD_TOLERANCE = 1e4  # V/m, a ten-thousandth of what switches
_MOST_TRIALS = 60  # halving a bracket of 1e10 V/m down to the tolerance takes 20
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class JunctionState:
    """What the cells of a :class:`Junction` remember.

    Attributes:
        domains: of the polarisation.
        charge: interface charge of every bin of sites [C/m^2], shape ``(cells, bins)``.
        steps: steps taken, part of the address of the next random flips.
    """

    domains: DomainState
    charge: Array
    steps: int


@dataclass(frozen=True, slots=True, eq=False)
class Junction:
    """Cells of ferrogen's own device model; keeps :class:`ferrogen.device.interface.JunctionModel`.

    Attributes:
        card: what the cells were drawn from.
        ensemble: the domains of every cell; an aged one may take its place (``dataclasses.replace``).
        stack: the layers.
        sites: of interface charge; None if the card has no section [interface].
        on_conductance: [S], shape ``(cells,)``.
        off_conductance: [S], same shape.
        key: of the random flips of domains; None follows probabilities instead (the mean of many such cells).
    """

    card: DeviceCard
    ensemble: DomainEnsemble
    stack: Stack
    sites: InterfaceSites | None
    on_conductance: Array
    off_conductance: Array
    key: np.uint64 | None

    @property
    def cells(self) -> int:
        """Number of cells."""
        return self.ensemble.cells

    def initial_state(self) -> JunctionState:
        """Return fresh cells: all domains down, interface charge in equilibrium with them."""
        state = domains.initial_state(self.ensemble, 0.0, key=self.key)
        polarization = domains.polarization(self.ensemble, state)
        charge = np.zeros((self.cells, 1)) if self.sites is None else settled(self.sites, polarization)
        return JunctionState(state, charge, 0)

    def polarization(self, state: JunctionState) -> Array:
        """Return the switchable polarisation [C/m^2], shape ``(cells,)``."""
        return domains.polarization(self.ensemble, state.domains)

    def switched_fraction(self, state: JunctionState) -> Array:
        """Return the share of each cell that is switched on, shape ``(cells,)``."""
        share: Array = np.sum(self.ensemble.weight * state.domains.up, axis=1)
        return np.clip(share, 0.0, 1.0)

    def current(self, state: JunctionState, voltage: ArrayLike) -> Array:
        """Return the read current [A] with all traps empty, by the compact read model; shape ``(cells,)``.

        It is the current at the temperature at which the card states its conductances, 300 K; for another one,
        :func:`ferrogen.device.transport.read_model.compact_of` derives them from the card's barriers.

        Raises:
            ArgumentError: voltages [V] that are not finite, or not one or one a cell.
            ValidityError: a voltage beyond the card's range of read voltages.
        """
        return read_current(
            self._voltages(voltage, "read_voltage"),
            self.switched_fraction(state),
            self.on_conductance,
            self.off_conductance,
            self.card.characteristic_voltage.value,
        )

    def field(self, state: JunctionState, voltage: ArrayLike) -> Array:
        """Return the field in the ferroelectric [V/m] at a voltage [V], shape ``(cells,)``."""
        return self._field(self._voltages(voltage), self.polarization(state), state.charge)

    def advance(
        self,
        state: JunctionState,
        voltage: ArrayLike,
        duration: float,
        *,
        temperature: float = REFERENCE_TEMPERATURE,
        steps_per_decade: int = _STEPS_PER_DECADE,
    ) -> JunctionState:
        """Return the state after a constant voltage.

        Args:
            state: before; it is not changed.
            voltage: [V], one number or shape ``(cells,)``; positive switches on.
            duration: [s].
            temperature: [K].
            steps_per_decade: of time, where the field depends on the polarisation; else one step is exact.

        Raises:
            ArgumentError: a number that is not finite, a duration that is not positive, a shape that does not fit.
            ValidityError: the temperature lies outside the card's validity, or a voltage beyond it.
        """
        check_number("duration", duration, "s")
        self.card.check("temperature", temperature, "temperature")
        if not is_whole(steps_per_decade, 1, 1000):
            raise argument_error("steps_per_decade", "be a whole number from 1 to 1000", steps_per_decade)
        volts = self._voltages(voltage, "program_voltage")
        for step in self._steps(duration, steps_per_decade):
            state = self._implicit_step(state, volts, step, temperature)
        return state

    @property
    def coupled(self) -> bool:
        """Whether the field depends on the polarisation: layers or screening beside the ferroelectric."""
        return self.stack.top_reduced_thickness + self.stack.bottom_reduced_thickness > 0.0

    def _steps(self, duration: float, per_decade: int) -> list[float]:
        first = _FIRST_STEP * self.ensemble.attempt_time
        if self.sites is not None and self.sites.compensated_share > 0.0:
            first = min(first, 0.1 * self.sites.shortest)
        if not self.coupled or duration <= first:
            return [duration]
        count = max(1, math.ceil(per_decade * math.log10(duration / first)))
        edges = np.concatenate([[0.0], np.geomspace(first, duration, count + 1)])
        return [float(step) for step in np.diff(edges)]

    def _implicit_step(
        self, before: JunctionState, voltage: Array, duration: float, temperature: float
    ) -> JunctionState:
        def moved(field: Array) -> DomainState:
            return domains.advance(
                self.ensemble, before.domains, field, duration, temperature=temperature, key=self.key, step=before.steps
            )

        def charged(polarization: Array) -> Array:
            return before.charge if self.sites is None else relaxed(self.sites, before.charge, polarization, duration)

        def excess(field: Array) -> Array:
            polarization = domains.polarization(self.ensemble, moved(field))
            return self._field(voltage, polarization, charged(polarization)) - field

        most = self.ensemble.remanent_polarization
        low, high = (self._field(voltage, p, charged(p)) for p in (most, -most))
        after = moved(falling_root(excess, low, high, _FIELD_TOLERANCE, _MOST_TRIALS) if self.coupled else low)
        return JunctionState(after, charged(domains.polarization(self.ensemble, after)), before.steps + 1)

    def _field(self, voltage: Array, polarization: Array, charge: Array) -> Array:
        return ferroelectric_field(self.stack, voltage, polarization, charge.sum(axis=1))

    def _voltages(self, voltage: ArrayLike, quantity: Quantity | None = None) -> Array:
        """Return one voltage a cell, none of them beyond the card's range (its lower end is no limit: cells rest)."""
        volts = np.asarray(voltage, dtype=np.float64)
        if volts.shape not in ((), (self.cells,)) or not np.isfinite(volts).all():
            raise argument_error(
                "voltage", f"be one finite number in V, or one for each of {self.cells} cells",
                f"of shape {volts.shape}" if np.isfinite(volts).all() else "not finite",
            )  # fmt: skip
        if quantity is not None and getattr(self.card.validity, quantity) is not None:
            largest = float(np.abs(volts).max(initial=0.0))
            if largest > self.card.range_of(quantity)[1]:
                self.card.check(quantity, largest, "voltage")
        return np.array(np.broadcast_to(volts, (self.cells,)))


def draw_cells(
    card: DeviceCard, cells: int, seed: int, *, random_flips: bool = True, most_domains: int = MOST_DOMAINS
) -> Junction:
    """Draw cells of ferrogen's own device model from a card with a section [switching].

    Conductances and domains scatter by the card's spreads, each on its own. What the section [variability] adds,
    correlations and stuck cells, is in :func:`ferrogen.device.variability.draw.draw_junctions`.

    Args:
        card: the card.
        cells: how many.
        seed: everything random follows from it.
        random_flips: domains flip one by one at random; else probabilities are followed.
        most_domains: larger cells are given this many domains, and scatter as such a cell does: with the default by
            less than 0.5 / sqrt(1000) = 1.6 % of the range.

    Raises:
        CardError: the card has no section [switching].
        ArgumentError: a number of cells or a seed that makes no sense.
    """
    streams = Streams(seed)
    if not is_whole(cells, 1):
        raise argument_error("cells", "be a whole number from 1", cells)
    if not is_whole(most_domains, 1):
        raise argument_error("most_domains", "be a whole number from 1", most_domains)
    switching = card.require(SwitchingSpec)
    area = min(card.cell_area.value, most_domains * switching.domain_area.value)
    ensemble = draw_domains(switching, area, cells, streams.generator(Purpose.DOMAINS))
    # A stream each: the first cells of many are those of a few.
    on, off = (
        draw_parameter(card, name, cells, streams.generator(Purpose.POPULATION, k))
        for k, name in enumerate(("on_conductance", "off_conductance"))
    )
    return Junction(
        card=card,
        ensemble=ensemble,
        stack=stack_of(card),
        sites=None if card.interface is None else interface_charge_of(card),
        on_conductance=on,
        off_conductance=off,
        key=streams.key(Purpose.SWITCHING) if random_flips else None,
    )


def make_junction(card: DeviceCard, cells: int, seed: int) -> JunctionModel:
    """Make cells of the device model that a card names: ferrogen's own, or that of another package.

    Raises:
        CardError: no installed package offers the model, or the card lacks a section it needs.
        ArgumentError: a number of cells or a seed that makes no sense.
    """
    if card.model == OWN_MODEL:
        return draw_cells(card, cells, seed)
    factory: DeviceModelFactory = plugged_model(card.model)
    return factory(card, cells, seed)
