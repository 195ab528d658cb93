"""Which traps have more than two states: anomalous telegraph noise, with quiet times between its bursts.

A trap may relax, when occupied, into a metastable configuration of the same charge; while it is there, it does not
switch, and the telegraph noise pauses (Kirton and Uren 1989, doi:10.1080/00018738900101122). Four states, a stable and
a metastable one for each charge, explain the bias and temperature dependence of real traps (Grasser 2012,
doi:10.1016/j.microrel.2011.09.002). The signal here is the occupancy, 0 or 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import check_number
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.multistate import MultistateTrap
from ferrogen.device.noise.spec import NoiseSpec
from ferrogen.device.noise.traps import TrapPopulation


def two_state_trap(capture_rate: float, emission_rate: float) -> MultistateTrap:
    """Return the ordinary trap: empty (0) and occupied (1).

    Args:
        capture_rate: [1/s], positive.
        emission_rate: [1/s], positive.

    Raises:
        ArgumentError: a rate that is not positive.
    """
    return MultistateTrap(np.array([[0.0, capture_rate], [emission_rate, 0.0]]), np.array([0.0, 1.0]))


def three_state_trap(
    capture_rate: float, emission_rate: float, pause_rate: float, resume_rate: float, paused_signal: float = 1.0
) -> MultistateTrap:
    """Return a trap with pauses: empty (0), occupied (1), and metastable (2), reached from the occupied state only.

    Args:
        capture_rate: 0 to 1 [1/s].
        emission_rate: 1 to 0 [1/s].
        pause_rate: 1 to 2 [1/s].
        resume_rate: 2 to 1 [1/s].
        paused_signal: what the metastable state shows: 1 for the occupied state's charge, 0 for the empty one's.

    Raises:
        ArgumentError: a rate that is not positive.
    """
    rates = np.array([[0.0, capture_rate, 0.0], [emission_rate, 0.0, pause_rate], [0.0, resume_rate, 0.0]])
    return MultistateTrap(rates, np.array([0.0, 1.0, paused_signal]))


def four_state_trap(
    *,
    capture_rate: float,
    release_rate: float,
    settle_rate: float,
    unsettle_rate: float,
    emission_rate: float,
    recapture_rate: float,
    relax_rate: float,
    excite_rate: float,
) -> MultistateTrap:
    """Return Grasser's four-state trap: empty (0), empty metastable (1), occupied metastable (2), occupied (3).

    Charge is exchanged between a stable and a metastable state, the lattice then relaxes. In Grasser's names 0 is 1,
    1 is 1', 2 is 2', 3 is 2. All rates in 1/s.

    Args:
        capture_rate: 0 to 2.
        release_rate: 2 to 0.
        settle_rate: 2 to 3.
        unsettle_rate: 3 to 2.
        emission_rate: 3 to 1.
        recapture_rate: 1 to 3.
        relax_rate: 1 to 0.
        excite_rate: 0 to 1.

    Raises:
        ArgumentError: negative rates, or so many of them zero that some state cannot be reached or left.
    """
    rates = np.zeros((4, 4))
    rates[0, 2], rates[2, 0], rates[2, 3], rates[3, 2] = capture_rate, release_rate, settle_rate, unsettle_rate
    rates[3, 1], rates[1, 3], rates[1, 0], rates[0, 1] = emission_rate, recapture_rate, relax_rate, excite_rate
    return MultistateTrap(rates, np.array([0.0, 0.0, 1.0, 1.0]))


def pausing_trap(
    capture_rate: float, emission_rate: float, time_ratio: float, metastable_weight: float
) -> MultistateTrap:
    """Return a three-state trap whose pauses are given as a card gives them.

    Args:
        capture_rate: [1/s].
        emission_rate: [1/s].
        time_ratio: mean length of a pause over the trap's time constant 1 / (capture + emission) [1].
        metastable_weight: probability of the metastable state over that of the stable occupied one [1].

    Raises:
        ArgumentError: an argument that is not positive.
    """
    check_number("time_ratio", time_ratio, "1")
    check_number("metastable_weight", metastable_weight, "1")
    resume = (capture_rate + emission_rate) / time_ratio
    return three_state_trap(capture_rate, emission_rate, metastable_weight * resume, resume)


def anomalous_traps(card: DeviceCard, traps: TrapPopulation, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Draw which traps of a population are anomalous, shape ``(traps,)``.

    Raises:
        CardError: the card has no section [noise].
    """
    return np.asarray(generator.random(traps.count) < card.require(NoiseSpec).anomalous_trap_share.value)


def multistate_traps(
    card: DeviceCard, traps: TrapPopulation, anomalous: NDArray[np.bool_], voltage: float, temperature: float
) -> list[MultistateTrap]:
    """Return a population's traps at an operating point as chains of states: two, or three where ``anomalous``.

    Args:
        card: gives the length and the weight of the pauses.
        traps: the population.
        anomalous: from :func:`anomalous_traps`, the same at every voltage.
        voltage: [V].
        temperature: [K].

    Raises:
        ValidityError: voltage or temperature outside of the card's ranges.
        CardError: the card has no section [noise].
    """
    card.check("read_voltage", voltage, "voltage")
    card.check("temperature", temperature, "temperature")
    noise = card.require(NoiseSpec)
    ratio, weight = noise.metastable_time_ratio.value, noise.metastable_weight.value
    return [
        pausing_trap(float(a), float(b), ratio, weight) if odd else two_state_trap(float(a), float(b))
        for a, b, odd in zip(*traps.rates(voltage, temperature), anomalous, strict=True)
    ]
