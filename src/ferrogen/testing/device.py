"""Hold a device model, or a card, to the promises that every other room relies on.

>>> from ferrogen.testing import check_device
>>> check_device("ideal")  # doctest: +SKIP
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import ContractError, FerrogenError
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.device.interface import DeviceModelFactory, JunctionModel
from ferrogen.device.junction import make_junction
from ferrogen.device.programming.spec import ProgrammingSpec

_CELLS: Final = 6
_PULSES: Final = 8  # of full height: enough to switch far
_MANY: Final = 60  # whose mean share scatters by less than a percent, with 40 domains each
_SEED: Final = 11


def check_device(
    card: DeviceCard | str | Path, factory: DeviceModelFactory | None = None, *, split_tolerance: float = 0.02
) -> list[str]:
    """Check that a device model keeps the contract of :class:`ferrogen.device.interface.JunctionModel`.

    Args:
        card: a card, an installed name, or a path; its [programming] section says which pulses switch it.
        factory: makes the model; the one the card names, if not given.
        split_tolerance: how much the mean switched fraction may differ between one pulse and its two halves.

    Returns:
        the promises that were checked, one line each.

    Raises:
        ContractError: naming the first promise that is broken, and with which values.
        CardError: the card itself is refused.
    """
    card = card if isinstance(card, DeviceCard) else load_card(card)
    make = make_junction if factory is None else factory
    trial = _Trial(card, make, split_tolerance)
    for check in (
        trial.fresh_cells_are_off,
        trial.same_seed_same_cells,
        trial.pulses_switch_both_ways,
        trial.states_are_not_changed_in_place,
        trial.cells_do_not_see_each_other,
        trial.a_pulse_is_the_sum_of_its_parts,
        trial.polarization_follows_the_switched_fraction,
        trial.currents_make_sense,
        trial.nonsense_is_refused,
    ):
        check()
    return trial.kept


class _Trial:
    def __init__(self, card: DeviceCard, make: DeviceModelFactory, split_tolerance: float) -> None:
        pulses = card.require(ProgrammingSpec)
        self.card = card
        self.make = make
        self.split_tolerance = split_tolerance
        self.set_voltage = pulses.set_voltage.value
        self.reset_voltage = -pulses.reset_voltage.value
        self.width = pulses.pulse_width.value
        self.kept: list[str] = []
        self.model: JunctionModel = make(card, _CELLS, _SEED)

    def _keep(self, promise: str, held: object, found: object = "") -> None:
        if not held:
            raise ContractError(
                f"The device model of card '{self.card.name}' breaks a promise: {promise}."
                + (f" Found {found}." if str(found) else "")
            )
        self.kept.append(promise)

    def _on(self, model: JunctionModel | None = None, pulses: int = _PULSES) -> Any:
        model = self.model if model is None else model
        state = model.initial_state()
        for _ in range(pulses):
            state = model.advance(state, self.set_voltage, self.width)
        return state

    def _share(self, state: Any) -> NDArray[np.float64]:
        return np.asarray(self.model.switched_fraction(state), dtype=np.float64)

    def fresh_cells_are_off(self) -> None:
        share = self._share(self.model.initial_state())
        self._keep("there are as many cells as were asked for", share.shape == (_CELLS,), share.shape)
        self._keep("a fresh cell is switched off", np.all((share >= 0.0) & (share < 0.05)), share)
        self._keep("a model tells its card and its cells", self.model.card == self.card and self.model.cells == _CELLS)

    def same_seed_same_cells(self) -> None:
        again = self.make(self.card, _CELLS, _SEED)
        first, second = self._share(self._on()), np.asarray(again.switched_fraction(self._on(again)))
        self._keep("the same seed gives the same cells and pulses", np.array_equal(first, second), (first, second))

    def pulses_switch_both_ways(self) -> None:
        on = self._on()
        up = self._share(on)
        self._keep("set pulses switch on", np.all(up > self._share(self.model.initial_state())), up)
        state = on
        for _ in range(_PULSES):
            state = self.model.advance(state, self.reset_voltage, self.width)
        self._keep("reset pulses switch off", np.all(self._share(state) < up), (up, self._share(state)))
        self._keep("the share switched on lies between 0 and 1", np.all((up >= 0.0) & (up <= 1.0)), up)

    def states_are_not_changed_in_place(self) -> None:
        state = self._on(pulses=1)
        kept = copy.deepcopy(state)
        self.model.advance(state, self.reset_voltage, self.width)
        self.model.current(state, 0.1)
        same = np.array_equal(self._share(state), self._share(kept))
        self._keep("advance and current leave the state they are given as it is", same)
        twice = [self._share(self.model.advance(state, self.set_voltage, self.width)) for _ in range(2)]
        self._keep("the same call gives the same result", np.array_equal(twice[0], twice[1]), twice)

    def cells_do_not_see_each_other(self) -> None:
        voltage = np.full(_CELLS, self.set_voltage)
        alone = voltage.copy()
        alone[1:] = 0.0
        state = self.model.initial_state()
        together = self._share(self.model.advance(state, voltage, self.width))
        single = self._share(self.model.advance(state, alone, self.width))
        self._keep("a cell's state depends on its own voltage only", together[0] == single[0], (together, single))

    def a_pulse_is_the_sum_of_its_parts(self) -> None:
        many = self.make(self.card, _MANY, _SEED)
        whole = many.switched_fraction(many.advance(many.initial_state(), self.set_voltage, self.width))
        half = many.advance(many.initial_state(), self.set_voltage, 0.5 * self.width)
        parts = many.switched_fraction(many.advance(half, self.set_voltage, 0.5 * self.width))
        gap = abs(float(np.mean(whole)) - float(np.mean(parts)))
        self._keep("a pulse does what its two halves do", gap <= self.split_tolerance, f"a difference of {gap:g}")

    def polarization_follows_the_switched_fraction(self) -> None:
        off, on = self.model.initial_state(), self._on()
        change = np.asarray(self.model.polarization(on)) - np.asarray(self.model.polarization(off))
        self._keep("polarisation rises as cells switch on", np.all(np.isfinite(change) & (change > 0.0)), change)

    def currents_make_sense(self) -> None:
        low, high = self.card.validity.read_voltage
        off, on = self.model.initial_state(), self._on()
        for state in (off, on):
            currents = np.array([self.model.current(state, v) for v in np.linspace(low, high, 7)])
            self._keep("a read current has one entry a cell", currents.shape == (7, _CELLS), currents.shape)
            self._keep("read currents are finite", np.all(np.isfinite(currents)))
            self._keep("read currents rise with the voltage", np.all(np.diff(currents, axis=0) > 0.0), currents)
            still = np.asarray(self.model.current(state, 0.0))
            self._keep("no current flows at no voltage", np.all(np.abs(still) <= 1e-9 * currents[-1]), still)
        middle = 0.5 * (low + high)
        ratio = np.asarray(self.model.current(on, middle)) / np.asarray(self.model.current(off, middle))
        self._keep("a cell that is on carries more current", np.all(ratio > 1.0), ratio)

    def nonsense_is_refused(self) -> None:
        state = self.model.initial_state()
        hot = 10.0 * self.card.validity.temperature[1]
        cases: dict[str, Callable[[], object]] = {
            "a voltage that is no number": lambda: self.model.advance(state, np.nan, self.width),
            "a duration that is not positive": lambda: self.model.advance(state, self.set_voltage, 0.0),
            "a duration that is not finite": lambda: self.model.advance(state, self.set_voltage, np.inf),
            "a temperature outside the card": lambda: self.model.advance(
                state, self.set_voltage, self.width, temperature=hot
            ),
            "voltages of another number of cells": lambda: self.model.advance(state, np.zeros(_CELLS + 1), self.width),
        }
        if self.card.validity.program_voltage is not None:
            beyond = 10.0 * self.card.validity.program_voltage[1]
            cases["a voltage beyond the card"] = lambda: self.model.advance(state, beyond, self.width)
        for what, call in cases.items():
            try:
                call()
            except FerrogenError:
                self.kept.append(f"{what} is refused with a FerrogenError")
                continue
            except Exception as error:  # noqa: BLE001
                self._keep(f"{what} is refused with a FerrogenError", held=False, found=repr(error))
            self._keep(f"{what} is refused with a FerrogenError", held=False, found="no error")
