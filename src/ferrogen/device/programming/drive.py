"""What a voltage does to domains in a stack: fields from the stack, steps from the switching law.

    E = E_F(V, P, -kappa P)      (:func:`ferrogen.device.electrostatics.stack.ferroelectric_field`)

kappa is the share of the polarisation that interface charge compensates. Where the polarisation feeds back on its own
field, a pulse is cut into substeps, short ones first, since what switches early changes the field most; where it does
not, a pulse is one exact step. The substeps are explicit: good while the feedback is weak against the drive. For strong
feedback, and charge that lags behind, there is the implicit step of :class:`ferrogen.device.junction.Junction`
(:func:`.respond.respond_junction`, :func:`.write_verify.write_verify_junction`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error, is_whole
from ferrogen.device.card import DeviceCard
from ferrogen.device.electrostatics.spec import InterfaceSpec
from ferrogen.device.electrostatics.stack import Stack, ferroelectric_field, stack_of
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.polarization.domains import DomainEnsemble, DomainState, advance, polarization
from ferrogen.device.reliability.arrhenius import check_temperature

_FIRST_SUBSTEP = 1e-3  # of the pulse's width
_MOST_SUBSTEPS = 10_000


@dataclass(frozen=True, slots=True)
class Drive:
    """How voltages reach the domains.

    Attributes:
        stack: the layers.
        compensated_share: of the polarisation that interface charge compensates during pulses [1]; 1: all of it.
        temperature: [K].
        substeps: of a pulse, where the polarisation feeds back on the field.
    """

    stack: Stack
    compensated_share: float = 1.0
    temperature: float = REFERENCE_TEMPERATURE
    substeps: int = 16

    def __post_init__(self) -> None:
        if not 0.0 <= self.compensated_share <= 1.0:
            raise argument_error("compensated_share", "lie between 0 and 1", self.compensated_share)
        check_temperature(self.temperature)
        if not is_whole(self.substeps, 1, _MOST_SUBSTEPS):
            raise argument_error("substeps", f"be a whole number from 1 to {_MOST_SUBSTEPS}", self.substeps)

    @property
    def coupled(self) -> bool:
        """Whether the polarisation changes its own field."""
        return float(self.field(0.0, 1.0)) != float(self.field(0.0, 0.0))

    def field(self, voltage: ArrayLike, polarization: ArrayLike) -> NDArray[np.float64]:
        """Return the field in the ferroelectric [V/m] at a voltage [V] and polarisation [C/m^2]; they broadcast.

        Raises:
            ArgumentError: an argument is not finite.
        """
        p = np.asarray(polarization, dtype=np.float64)
        return ferroelectric_field(self.stack, voltage, p, -self.compensated_share * p)

    @property
    def steps(self) -> int:
        """Steps that one pulse (or gap) takes in the addresses of random draws."""
        return self.substeps if self.coupled else 1


def film_drive(thickness: float, temperature: float = REFERENCE_TEMPERATURE) -> Drive:
    """Return the drive of a bare film between perfect metals: E = V / thickness [m].

    Raises:
        ArgumentError: a value out of range.
    """
    return Drive(Stack(thickness, 1.0), 1.0, temperature)


def drive_of(card: DeviceCard, temperature: float = REFERENCE_TEMPERATURE) -> Drive:
    """Return the drive that a card describes, with the interface charge of its section [interface].

    Raises:
        CardError: the card has no section [interface].
        ValidityError: the card does not hold at this temperature [K].
    """
    card.check("temperature", temperature, "temperature")
    return Drive(stack_of(card), card.require(InterfaceSpec).compensated_share.value, temperature)


def hold(
    ensemble: DomainEnsemble,
    state: DomainState,
    drive: Drive,
    voltage: ArrayLike,
    duration: float,
    *,
    key: np.uint64 | None = None,
    step: int = 0,
) -> DomainState:
    """Return the state after a constant voltage.

    Args:
        ensemble: the domains.
        state: before; it is not changed.
        drive: how voltages reach them.
        voltage: [V], one number or one a cell, shape ``(cells,)``.
        duration: [s].
        key: of random flips; without one the probabilities are followed.
        step: number of the first step in the addresses of the draws; it takes :attr:`Drive.steps` of them.

    Raises:
        ArgumentError: a value out of range.
    """
    volts = np.asarray(voltage, dtype=np.float64)
    ends = np.array([duration]) if drive.steps == 1 else duration * np.geomspace(_FIRST_SUBSTEP, 1.0, drive.steps)
    for k, size in enumerate(np.diff(ends, prepend=0.0)):
        field = np.broadcast_to(drive.field(volts, polarization(ensemble, state)), (ensemble.cells,))
        state = advance(ensemble, state, field, float(size), temperature=drive.temperature, key=key, step=step + k)
    return state
