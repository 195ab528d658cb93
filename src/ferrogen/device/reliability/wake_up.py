"""Wake-up: a pristine film gains remanent polarisation, and loses its pinched loop, as it is cycled.

P_r(N) = P_r [1 - share exp(-(N / N_w)^b)], a stretched exponential (section 5 of the device reference), N_w thermally
activated. The pinching of the pristine loop is a local bias of either sign in half of the domains, which decays alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.reliability.arrhenius import check_energy, check_exponent, check_scale, counts, slowdown
from ferrogen.device.reliability.spec import ReliabilitySpec


@dataclass(frozen=True, slots=True)
class WakeUp:
    """How a film wakes up.

    Attributes:
        share: of the remanent polarisation that a pristine film lacks [1].
        cycles: after which 1/e of it is still missing, at 300 K [1].
        exponent: of the stretched exponential [1].
        activation_energy: of the number of cycles [eV].
        pinching_field: size of the pristine film's two-sided local bias [V/m].
    """

    share: float
    cycles: float
    exponent: float = 1.0
    activation_energy: float = 0.0
    pinching_field: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.share < 1.0:
            raise argument_error("share", "lie from 0 to below 1", self.share)
        check_scale("cycles", self.cycles, "cycles")
        check_exponent("exponent", self.exponent)
        check_energy(self.activation_energy)
        check_number("pinching_field", self.pinching_field, "V/m", may_vanish=True)


def wake_up_of(spec: ReliabilitySpec) -> WakeUp:
    """Return the wake-up that a card's section describes."""
    return WakeUp(
        share=spec.wake_up_share.value,
        cycles=spec.wake_up_cycles.value,
        exponent=spec.wake_up_exponent.value,
        activation_energy=spec.cycling_activation_energy.value,
        pinching_field=spec.pinching_field.value if spec.pinching_field else 0.0,
    )


def pristine_share(law: WakeUp, cycles: ArrayLike, temperature: float = 300.0) -> NDArray[np.float64]:
    """Return how much of the pristine state is left after ``cycles`` [1] at a temperature [K], from 1 to 0.

    Raises:
        ArgumentError: a negative or infinite number of cycles, or a temperature out of range.
    """
    number = counts("cycles", cycles, "cycles") / (law.cycles * slowdown(law.activation_energy, temperature))
    with np.errstate(over="ignore"):  # an infinite exponent leaves nothing, which is right
        return np.asarray(np.exp(-(number**law.exponent)))


def wake_up_factor(law: WakeUp, cycles: ArrayLike, temperature: float = 300.0) -> NDArray[np.float64]:
    """Return the remanent polarisation after ``cycles`` over that of the woken film.

    Raises:
        ArgumentError: a negative or infinite number of cycles, or a temperature out of range.
    """
    return np.asarray(1.0 - law.share * pristine_share(law, cycles, temperature))


def pinching_bias(law: WakeUp, cycles: float, temperature: float, domains: int) -> NDArray[np.float64]:
    """Return the local bias [V/m] that pinches the loop of a film not yet awake, shape ``(domains,)``.

    The sign alternates from domain to domain. Domains carry no order of their own, so that is as good as random and
    balanced; in an ensemble sorted by activation field both signs see the same distribution.

    Raises:
        ArgumentError: a negative number of cycles, a temperature out of range.
    """
    sign = 1.0 - 2.0 * (np.arange(domains) % 2)
    return np.asarray(law.pinching_field * pristine_share(law, cycles, temperature) * sign)
