"""Charge that gathers at the interface and compensates the polarisation, slowly and over many decades of time.

Sites of time constant tau follow d sigma / dt = (-kappa P - sigma) / tau; tau is log-uniform from site to site, as for
electrons that tunnel to sites at evenly spread depths. The sites are kept in bins, evenly spaced in log tau, each
advanced exactly for as long as P stands still:

    sigma <- -kappa P + (sigma + kappa P) e^(-t / tau).

Assumed form (device physics of trapping through the dielectric; Fontanini 2023, arXiv:2309.01486, shows that such a
charge is needed for a bilayer to hold its polarisation at all).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ferrogen.core.arrays import finite_array
from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.device.card import DeviceCard
from ferrogen.device.electrostatics.spec import InterfaceSpec

_BINS_PER_DECADE = 3
_MOST_BINS = 1000


@dataclass(frozen=True, slots=True)
class InterfaceSites:
    """Sites for charge: how much they compensate and how fast. The charge itself is the caller's, see :func:`settled`.

    Attributes:
        compensated_share: kappa, of the polarisation that the charge compensates in equilibrium [1].
        shortest: time constant of the fastest site [s].
        longest: of the slowest [s]; equal to ``shortest`` for sites that are all alike.
        bins: number of groups of sites of equal size.
    """

    compensated_share: float
    shortest: float
    longest: float
    bins: int

    def __post_init__(self) -> None:
        check_number("compensated_share", self.compensated_share, "parts of the polarisation", may_vanish=True)
        check_number("shortest", self.shortest, "s")
        check_number("longest", self.longest, "s")
        if self.longest < self.shortest:
            raise argument_error("longest", f"be at least `shortest` ({self.shortest:g} s)", f"{self.longest:g} s")
        if not is_whole(self.bins, 1, _MOST_BINS):
            raise argument_error("bins", f"be a whole number from 1 to {_MOST_BINS}", self.bins)

    @property
    def time_constants(self) -> NDArray[np.float64]:
        """Time constant [s] of each bin: its middle on the logarithmic scale, shape ``(bins,)``."""
        middle = (np.arange(self.bins) + 0.5) / self.bins
        return np.asarray(self.shortest * (self.longest / self.shortest) ** middle)


def interface_charge_of(card: DeviceCard, bins: int | None = None) -> InterfaceSites:
    """Return the sites that a card describes.

    Args:
        card: with a section [interface].
        bins: number of bins; three a decade if not given (a step's response is then right to 1e-4 in between).

    Raises:
        CardError: the card has no section [interface].
        ArgumentError: ``bins`` is no whole number in range.
    """
    interface = card.require(InterfaceSpec)
    time = interface.compensation_time
    shortest = longest = time.value
    if time.spread is not None and time.spread.low is not None and time.spread.high is not None:
        shortest, longest = time.spread.low, time.spread.high
    usual = max(1, int(np.ceil(_BINS_PER_DECADE * np.log10(longest / shortest))))
    return InterfaceSites(interface.compensated_share.value, shortest, longest, usual if bins is None else bins)


def settled(sites: InterfaceSites, polarization: ArrayLike) -> NDArray[np.float64]:
    """Return the charge of every bin [C/m^2] in equilibrium with a polarisation [C/m^2], shape ``(..., bins)``."""
    p = finite_array("polarization", polarization, "C/m^2")
    return np.asarray(np.repeat(-sites.compensated_share * p[..., None] / sites.bins, sites.bins, axis=-1))


def relaxed(
    sites: InterfaceSites, charges: NDArray[np.float64], polarization: ArrayLike, duration: ArrayLike
) -> NDArray[np.float64]:
    """Return the charge of every bin after a time at a fixed polarisation: exact, however long the time.

    Args:
        sites: the sites.
        charges: of every bin before [C/m^2], shape ``(..., bins)``; zeros for empty sites.
        polarization: that the charge follows [C/m^2], shape ``(...)``.
        duration: [s], shape ``(...)``.

    Raises:
        ArgumentError: a shape that does not fit, or a number that is not finite (a duration: or negative).
    """
    p, time = finite_array("polarization", polarization, "C/m^2"), finite_array("duration", duration, "s")
    before = finite_array("charges", charges, "C/m^2")
    if before.ndim == 0 or before.shape[-1] != sites.bins:
        raise argument_error("charges", f"have {sites.bins} bins in their last axis", f"of shape {before.shape}")
    if (time < 0.0).any():
        raise argument_error("duration", "hold times in s that are not negative", f"{time.min():g} s")
    goal = -sites.compensated_share * p[..., None] / sites.bins
    kept = np.exp(-time[..., None] / sites.time_constants)
    return np.asarray(goal + (before - goal) * kept)


def total_charge(charges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the interface charge [C/m^2] of all bins together: what the functions of :mod:`.stack` take."""
    return np.asarray(charges.sum(axis=-1))


def step_response(sites: InterfaceSites, duration: ArrayLike) -> NDArray[np.float64]:
    """Return the share of a step of the polarisation that log-uniform sites have not followed yet, in closed form.

    The mean of e^(-t / tau) over tau: [E1(t / longest) - E1(t / shortest)] / ln(longest / shortest), which falls with
    the logarithm of time in between. Bins do not enter.

    Raises:
        ArgumentError: a duration [s] is negative or not finite.
    """
    t = finite_array("duration", duration, "s")
    if (t < 0.0).any():
        raise argument_error("duration", "hold times in s that are not negative", f"{t.min():g} s")
    if sites.longest == sites.shortest:
        return np.asarray(np.exp(-t / sites.longest))
    width = np.log(sites.longest / sites.shortest)
    slow, fast = t / sites.longest, t / sites.shortest
    # E1(x) = -gamma - ln x + Ein(x): the logarithms' difference is the width, and Ein -> x where both are small.
    early = fast < 1e-6
    safe = np.where(early, 1.0, t)
    usual = (special.exp1(safe / sites.longest) - special.exp1(safe / sites.shortest)) / width
    return np.asarray(np.where(early, 1.0 - (fast - slow) / width, usual))
