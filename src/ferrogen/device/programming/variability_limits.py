"""What a finite number of domains does to analog states: limits that no better process can beat.

A pulse train leaves domain i switched with probability p_i, which depends on the domain. With N domains drawn at random
the share s of switched ones varies by

    var s = [<p (1 - p)> + var p] / N = s (1 - s) / N,

all of it binomial. The first term is what differs from cycle to cycle in one junction, the second from junction to
junction in the mean over cycles. Where every domain either surely switches or surely does not, there is no scatter from
cycle to cycle at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import CardError, argument_error, check_number
from ferrogen.device.card import DeviceCard
from ferrogen.device.polarization.domains import (
    DomainEnsemble,
    DomainState,
    domains_per_cell,
    initial_state,
    mean_domains,
)
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.programming.drive import Drive
from ferrogen.device.programming.respond import respond
from ferrogen.device.programming.trains import PulseTrain


def binomial_deviation(switched_fraction: ArrayLike, domains: float) -> NDArray[np.float64]:
    """Return the standard deviation sqrt[s (1 - s) / N] of the switched share over junctions and cycles together.

    Args:
        switched_fraction: s, 0 to 1, any shape.
        domains: N, number of domains of a junction.

    Raises:
        ArgumentError: a value out of range.
    """
    s = np.asarray(switched_fraction, dtype=np.float64)
    if not np.all((s >= 0.0) & (s <= 1.0)):
        raise argument_error("switched_fraction", "lie between 0 and 1", "outside")
    check_number("domains", domains, "1")
    return np.asarray(np.sqrt(s * (1.0 - s) / domains))


@dataclass(frozen=True, slots=True)
class DomainScatter:
    """Scatter of the switched share that a finite number of domains makes.

    Attributes:
        switched_fraction: expected.
        cycle_to_cycle: standard deviation between cycles of one junction, root mean square over junctions.
        device_to_device: standard deviation between junctions of their mean over cycles.
        total: both together: between junctions that are programmed once.
    """

    switched_fraction: float
    cycle_to_cycle: float
    device_to_device: float
    total: float


def domain_scatter(ensemble: DomainEnsemble, state: DomainState, domains: float) -> DomainScatter:
    """Return the scatter of a programmed state in junctions of ``domains`` domains.

    Args:
        ensemble: of one cell with (nearly) all kinds of domains
            (:func:`ferrogen.device.polarization.domains.mean_domains`), weighted by how often they occur.
        state: its probabilities after the pulses.
        domains: number of domains of a junction, equal in area.

    Raises:
        ArgumentError: an ensemble of several cells, or a value out of range.
    """
    check_number("domains", domains, "1")
    if ensemble.cells != 1 or state.up.shape != ensemble.weight.shape:
        raise argument_error("ensemble", "have one cell, and the state be its own", f"{ensemble.cells} cells")
    weight, p = ensemble.weight[0], state.up[0]
    mean = float(weight @ p)
    cycle = float(weight @ (p * (1.0 - p))) / domains
    device = float(weight @ (p - mean) ** 2) / domains
    return DomainScatter(mean, math.sqrt(cycle), math.sqrt(device), math.sqrt(cycle + device))


def implied_switching_noise(before: DomainState, after: DomainState, ensemble: DomainEnsemble, domains: float) -> float:
    """Return the ``switching_noise`` of a card that the domains imply for one pulse.

    In the abstract write-verify (:mod:`ferrogen.array.programming`) a pulse that moves the switched share by d scatters
    by noise sqrt|d|. A pulse that switches domain i with probability q_i switches d = <q> of them on average, and in a
    junction in a known state scatters by sqrt(<q (1 - q)> / N): noise = sqrt[(1 - <q^2> / <q>) / N]. That is 1 / sqrt N
    for weak pulses, which draw a few domains at random, and nothing for a pulse that surely switches what it switches.

    Args:
        before: expected state of a cell with all kinds of domains.
        after: expected state after the pulse.
        ensemble: that cell.
        domains: number of domains of a junction.

    Raises:
        ArgumentError: a pulse that switches nothing, or a value out of range.
    """
    check_number("domains", domains, "1")
    if ensemble.cells != 1 or before.up.shape != after.up.shape or after.up.shape != ensemble.weight.shape:
        raise argument_error("ensemble", "have one cell, and the states be its own", f"{ensemble.cells} cells")
    weight, change = ensemble.weight[0], after.up[0] - before.up[0]
    moved = float(weight @ np.abs(change))
    if moved <= 1e-12:
        raise argument_error("after", "differ from `before`", "the same", "Use a stronger pulse.")
    # A domain still down with probability 1 - u flips with q = change / (1 - u): averaged over what u leaves down, the
    # variance of the flips is change (1 - q).
    left = np.where(change >= 0.0, 1.0 - before.up[0], before.up[0])
    share = np.where(left > 0.0, np.abs(change) / np.where(left > 0.0, left, 1.0), 0.0)
    variance = float(weight @ (np.abs(change) * (1.0 - np.minimum(share, 1.0)))) / domains
    return math.sqrt(variance / moved)


def domains_for_noise(switching_noise: float) -> float:
    """Return how many domains a junction needs at least for weak pulses to scatter no more than a card says.

    Raises:
        ArgumentError: it is not a positive number.
    """
    check_number("switching_noise", switching_noise, "1")
    return 1.0 / switching_noise**2


@dataclass(frozen=True, slots=True)
class NoiseComparison:
    """A card's ``switching_noise`` beside what its domains imply.

    Attributes:
        card: what the card says, for a pulse over the full range.
        domains: of a junction: its area over that of a domain.
        weak_pulse: 1 / sqrt N, for pulses that draw a few domains at random.
        card_pulse: for the pulse that was given, from the off state.
        moved: share of the domains that this pulse switches.
        domains_needed: so many would scatter as little as the card says under weak pulses.
    """

    card: float
    domains: int
    weak_pulse: float
    card_pulse: float
    moved: float
    domains_needed: float


def compare_switching_noise(card: DeviceCard, drive: Drive, train: PulseTrain) -> NoiseComparison:
    """Compare a card's ``switching_noise`` with what its domains imply for a pulse train from the off state.

    Args:
        card: with a section [switching].
        drive: how voltages reach the domains.
        train: taken as one act of programming; usually of one pulse.

    Raises:
        CardError: the card has no section [switching], or no switching noise to compare with.
        ArgumentError: a train that switches nothing.
    """
    spec = card.require(SwitchingSpec)
    said = card.switching_noise.value
    if said <= 0.0:
        raise CardError(f"Card '{card.name}' has no `switching_noise` to compare with: it is 0.")
    domains = domains_per_cell(spec, card.cell_area.value)
    ensemble = mean_domains(spec)
    before = initial_state(ensemble)
    response = respond(ensemble, before, train, drive)
    return NoiseComparison(
        card=said,
        domains=domains,
        weak_pulse=1.0 / math.sqrt(domains),
        card_pulse=implied_switching_noise(before, response.state, ensemble, domains),
        moved=float(response.switched_fraction[0, -1]),
        domains_needed=domains_for_noise(said),
    )
