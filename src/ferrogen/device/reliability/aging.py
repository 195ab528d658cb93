"""An aged junction: the same domains with what cycles and storage have done to them.

Wake-up and fatigue change the remanent polarisation, wake-up also takes the pinching out of the local bias, and imprint
shifts the local bias so that the stored state is favoured. Loops, pulses and retention of the aged junction are then
those of the returned ensemble.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.polarization.domains import DomainEnsemble
from ferrogen.device.reliability.age import Age
from ferrogen.device.reliability.fatigue import fatigue_factor, fatigue_of
from ferrogen.device.reliability.imprint import imprint_field, imprint_of
from ferrogen.device.reliability.spec import ReliabilitySpec
from ferrogen.device.reliability.wake_up import pinching_bias, wake_up_factor, wake_up_of


def aged_polarization(
    spec: ReliabilitySpec, cycles: NDArray[np.float64] | float, temperature: float = REFERENCE_TEMPERATURE
) -> NDArray[np.float64]:
    """Return the remanent polarisation after ``cycles`` at a temperature [K], over that which the card states.

    Raises:
        ArgumentError: a negative or infinite number of cycles, or a temperature out of range.
    """
    woken = wake_up_factor(wake_up_of(spec), cycles, temperature)
    return np.asarray(woken * fatigue_factor(fatigue_of(spec), cycles, temperature))


def aged_switching(
    ensemble: DomainEnsemble,
    spec: ReliabilitySpec,
    age: Age,
    temperature: float = REFERENCE_TEMPERATURE,
    stored: float = 0.0,
) -> DomainEnsemble:
    """Return the ensemble of a junction of some age.

    Args:
        ensemble: of the card: woken, not tired, not imprinted.
        spec: of the card.
        age: cycles, and storage as a time at 300 K (:func:`.imprint.equivalent_storage`). Breakdown does not change
            the domains; whether the junction is still alive is told by :func:`.breakdown.survival`.
        temperature: at which it was cycled [K].
        stored: polarisation of the stored state over the remanent one, -1 (down) to 1 (up); imprint favours its sign
            and goes in proportion. 0 for a junction without imprint.

    Raises:
        ArgumentError: a value out of range.
    """
    if not -1.0 <= stored <= 1.0:
        raise argument_error("stored", "lie between -1 and 1", stored)
    pinching = pinching_bias(wake_up_of(spec), age.cycles, temperature, ensemble.domains)
    # A domain sees E - E_b: a bias that favours up is negative.
    favour = stored * float(imprint_field(imprint_of(spec), age.storage_time))
    return replace(
        ensemble,
        remanent_polarization=ensemble.remanent_polarization * float(aged_polarization(spec, age.cycles, temperature)),
        local_bias_field=ensemble.local_bias_field + pinching - favour,
    )
