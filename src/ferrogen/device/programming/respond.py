"""What a pulse train makes of a junction: its state after every pulse.

Pulses too weak to switch a junction at once add up (accumulative switching, Mulaosmanovic 2018,
doi:10.1021/acsami.8b08967): in a constant field the domains only know for how long they have been driven, so identical
pulses do what one long pulse does, up to what the gaps undo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.device.interface import JunctionModel
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.polarization.domains import DomainEnsemble, DomainState, follow, polarization
from ferrogen.device.programming.drive import Drive, hold
from ferrogen.device.programming.trains import PulseTrain
from ferrogen.device.transport import compact


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """A junction after every pulse of a train.

    Attributes:
        polarization: before the first pulse and after each gap [C/m^2], shape ``(cells, pulses + 1)``.
        remanent_polarization: of the cells [C/m^2], shape ``(cells,)``.
        state: after the train.
        step: number of the next step in the addresses of random draws.
    """

    polarization: NDArray[np.float64]
    remanent_polarization: NDArray[np.float64]
    state: DomainState
    step: int

    @property
    def switched_fraction(self) -> NDArray[np.float64]:
        """Share of each cell that is on (up), 0 to 1, shape ``(cells, pulses + 1)``."""
        scale = np.maximum(self.remanent_polarization, np.finfo(np.float64).tiny)[:, None]
        return np.asarray(np.clip(0.5 + 0.5 * self.polarization / scale, 0.0, 1.0))

    def conductance(self, on_conductance: ArrayLike, off_conductance: ArrayLike) -> NDArray[np.float64]:
        """Return the conductance [S] after every pulse, shape ``(cells, pulses + 1)``.

        Args:
            on_conductance: [S], one number or one a cell.
            off_conductance: [S], likewise.
        """
        on, off = (np.asarray(g, dtype=np.float64)[..., None] for g in (on_conductance, off_conductance))
        return compact.conductance(self.switched_fraction, on, off)


def respond(
    ensemble: DomainEnsemble,
    state: DomainState,
    train: PulseTrain,
    drive: Drive,
    *,
    key: np.uint64 | None = None,
    step: int = 0,
) -> Response:
    """Follow a pulse train.

    Args:
        ensemble: the domains.
        state: before the first pulse; it is not changed.
        train: the pulses.
        drive: how voltages reach the domains.
        key: of random flips (the state must then be binary); without one the expected response is followed.
        step: number of the first step in the addresses of the draws.

    Raises:
        ArgumentError: a value out of range.
    """
    start = polarization(ensemble, state)
    gaps = 2 if train.gap > 0.0 else 1
    if not drive.coupled:
        wave = train.waveform()
        after, state = follow(
            ensemble, state, drive.field(wave.voltages, 0.0), wave.durations,
            temperature=drive.temperature, key=key, step=step,
        )  # fmt: skip
        after = after[:, gaps - 1 :: gaps]
        step += wave.steps
    else:
        after = np.empty((ensemble.cells, train.count))
        for k in range(train.count):
            volts, width = float(train.amplitude[k]), float(train.width[k])
            state = hold(ensemble, state, drive, volts, width, key=key, step=step)
            step += drive.steps
            if gaps == 2:
                state = hold(ensemble, state, drive, 0.0, train.gap, key=key, step=step)
                step += drive.steps
            after[:, k] = polarization(ensemble, state)
    return Response(np.concatenate([start[:, None], after], axis=1), ensemble.remanent_polarization, state, step)


@dataclass(frozen=True, slots=True, eq=False)
class JunctionResponse:
    """Cells of a device model after every pulse of a train.

    Attributes:
        switched_fraction: before the first pulse and after each gap, 0 to 1, shape ``(cells, pulses + 1)``.
        conductance: current at the read voltage over that voltage [S], same shape.
        state: of the model, after the train.
    """

    switched_fraction: NDArray[np.float64]
    conductance: NDArray[np.float64]
    state: Any


def respond_junction(
    model: JunctionModel,
    state: Any,
    train: PulseTrain,
    *,
    read_voltage: float = 0.1,
    temperature: float = REFERENCE_TEMPERATURE,
) -> JunctionResponse:
    """Follow a pulse train on a device model, ferrogen's own or a third party's.

    Args:
        model: the cells.
        state: before the first pulse; it is not changed.
        train: the pulses.
        read_voltage: at which the conductance is read [V].
        temperature: [K].

    Raises:
        ArgumentError: a value out of range.
        ValidityError: a voltage, width or temperature for which the card is not stated to hold.
    """
    card = model.card
    card.check("program_voltage", float(np.abs(train.amplitude).max()), "amplitude")
    for width in (float(train.width.min()), float(train.width.max())):
        card.check("pulse_width", width, "width")
    check_number("read_voltage", read_voltage, "V")
    card.check("read_voltage", read_voltage, "read_voltage")
    shares, currents = [model.switched_fraction(state)], [model.current(state, read_voltage)]
    for amplitude, width in zip(train.amplitude, train.width, strict=True):
        state = model.advance(state, float(amplitude), float(width), temperature=temperature)
        if train.gap > 0.0:
            state = model.advance(state, 0.0, train.gap, temperature=temperature)
        shares.append(model.switched_fraction(state))
        currents.append(model.current(state, read_voltage))
    return JunctionResponse(np.stack(shares, axis=1), np.stack(currents, axis=1) / read_voltage, state)


def pulses_until(
    ensemble: DomainEnsemble,
    state: DomainState,
    train: PulseTrain,
    drive: Drive,
    fraction: float,
    *,
    key: np.uint64 | None = None,
    most: int = 100_000,
) -> NDArray[np.int64]:
    """Count how often a train must be repeated until a share of the cell is on: accumulative switching.

    Args:
        ensemble: the domains.
        state: before the first pulse.
        train: usually of one weak pulse; it is repeated.
        drive: how voltages reach the domains.
        fraction: of the domains on, between 0 and 1.
        key: of random flips; without one the expected response is followed.
        most: give up after so many repetitions.

    Returns:
        Repetitions, shape ``(cells,)``; -1 for cells that have not got there.

    Raises:
        ArgumentError: a value out of range.
    """
    if not 0.0 < fraction < 1.0:
        raise argument_error("fraction", "lie between 0 and 1", fraction)
    if not is_whole(most, 1):
        raise argument_error("most", "be a whole number of at least 1", most)
    needed = np.full(ensemble.cells, -1, dtype=np.int64)
    step = 0
    for k in range(1, most + 1):
        response = respond(ensemble, state, train, drive, key=key, step=step)
        state, step = response.state, response.step
        reached = (response.switched_fraction[:, -1] >= fraction) & (needed < 0)
        needed[reached] = k
        if np.all(needed > 0):
            break
    return needed
