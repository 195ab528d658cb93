"""Half-selects counted against a loop over cells, and their effect against an array followed pulse by pulse."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ferrogen.array.disturb import HalfSelects, Pulse, card_pulse, disturb_trains, disturbed, half_selects
from ferrogen.array.evolution import Evolution
from ferrogen.array.evolution_exposure import Train
from ferrogen.array.selection import Scheme, program_bias
from ferrogen.array.topology import NOR, Crosspoint
from ferrogen.core.errors import ArgumentError, CardError
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.device.junction import draw_cells
from ferrogen.device.polarization.ensemble import mean_domains
from ferrogen.device.polarization.spec import SwitchingSpec

PULSES = np.random.default_rng(1).integers(0, 9, (4, 5))


@pytest.fixture(scope="module")
def card() -> DeviceCard:
    return load_card("hzo-mfis-nor").model_copy(update={"reliability": None})


@pytest.fixture(scope="module")
def evolution(card: DeviceCard) -> Evolution:
    return Evolution(card, 1, scatter=False, nodes=(32, 12))


def test_half_selects_are_those_of_a_loop() -> None:
    rows, columns = PULSES.shape
    expected = np.zeros((3, rows, columns), dtype=np.int64)
    done = np.zeros((rows, columns), dtype=bool)
    for i in range(rows):
        for j in range(columns):
            for a, b in zip(*np.nonzero(done), strict=True):
                kind = 0 if a == i else 1 if b == j else 2
                expected[kind, a, b] += PULSES[i, j]
            done[i, j] = True
    found = half_selects(PULSES)
    np.testing.assert_array_equal([found.same_row, found.same_column, found.neither], expected)


def test_rows_at_once_are_those_of_a_loop_over_turns() -> None:
    rows, columns = PULSES.shape
    expected = np.zeros((3, rows, columns), dtype=np.int64)
    for i in range(rows):
        for turn in range(PULSES[i].max()):
            pulsed = PULSES[i] > turn
            for a in range(i + 1):
                for b in range(columns):
                    if a == i:
                        expected[0, a, b] += not pulsed[b]
                    else:
                        expected[1 if pulsed[b] else 2, a, b] += 1
    found = half_selects(PULSES, "row by row")
    np.testing.assert_array_equal([found.same_row, found.same_column, found.neither], expected)


@pytest.mark.parametrize("scheme", ["half", "third"])
def test_an_array_followed_pulse_by_pulse_is_disturbed_alike(
    scheme: Scheme, card: DeviceCard, evolution: Evolution
) -> None:
    rows, columns, target = 2, 3, 0.45
    pulse = card_pulse(card)
    cells = rows * columns
    one = draw_cells(card, 1, 0, random_flips=False)
    mean = mean_domains(card.require(SwitchingSpec), 24, 8)
    junction = dataclasses.replace(
        one, ensemble=mean.select(np.zeros(cells, dtype=int)), on_conductance=np.ones(cells),
        off_conductance=np.ones(cells),
    )  # fmt: skip
    state = junction.initial_state()
    counts = np.zeros((rows, columns), dtype=np.int64)
    right_after = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            # Pulses of one amplitude, to compare like with like: rising ones disturb less.
            seen = program_bias(scheme, rows, columns, i, j, pulse.voltage).cells(Crosspoint()).ravel()
            while junction.switched_fraction(state)[i * columns + j] < target and counts[i, j] < 12:
                state = junction.advance(state, seen, pulse.width, steps_per_decade=2)
                state = junction.advance(state, 0.0, pulse.gap, steps_per_decade=2)
                counts[i, j] += 1
            right_after[i, j] = junction.switched_fraction(state)[i * columns + j]
    final = junction.switched_fraction(state).reshape(rows, columns)
    found = disturbed(evolution, right_after, half_selects(counts), scheme)
    drift, expected = found.condition.switched_fraction - right_after, final - right_after
    assert np.abs(expected).max() > 0.02  # something happens
    # Of the range. Cells here were written by equal pulses, the ladder's by rising ones; and those done early rest.
    assert np.abs(drift - expected).max() < 0.04
    assert drift[-1, -1] == 0.0  # nothing comes after the last cell


def test_trains_are_the_classes_voltages(card: DeviceCard) -> None:
    selects = half_selects(np.full((4, 4), 3))
    pulse = Pulse(3.0, 1e-6, 2e-6)
    trains, rows = disturb_trains("half", Crosspoint(), pulse, selects, 1e-9)
    assert trains == (Train(((1.5, 1e-6), (0.0, 2e-6)), 3.0),)
    # Cell (1, 1): two more in its row, one in its column in each of two rows, three pulses each.
    assert rows[1, 1] == pytest.approx(4.0)
    trains, rows = disturb_trains("third", Crosspoint(), pulse, selects, 1e-9)
    assert trains == (Train(((1.0, 1e-6), (0.0, 2e-6)), 3.0), Train(((-1.0, 1e-6), (0.0, 2e-6)), 9.0))
    assert rows[-1, -1] == 0.0
    mixed, _ = disturb_trains("half", Crosspoint(), dataclasses.replace(pulse, reset_share=0.25), selects, 1e-9)
    assert [(train.phases[0][0], train.count) for train in mixed] == [(1.5, 2.25), (-1.5, 1.0)]
    isolated, rows = disturb_trains("inhibit", NOR(access_leakage=1e-12), pulse, selects, 4e-10)
    assert isolated[0].phases[0] == (pytest.approx(-3.0 / 401.0), 1e-6)
    assert rows[0, 0] == pytest.approx(3.0)
    alone, _ = disturb_trains("half", Crosspoint(), pulse, half_selects(np.full((1, 3), 4)), 1e-9)
    assert alone[0].count == 1.0


def test_schemes_rank_as_their_voltages_do(evolution: Evolution) -> None:
    shares = np.random.default_rng(0).random((8, 8))
    selects = half_selects(np.full((8, 8), 10))
    after = {
        scheme: disturbed(evolution, shares, selects, scheme).condition.switched_fraction
        for scheme in ("half", "third", "inhibit")
    }
    low = shares < 0.2  # cells that are off are disturbed by pulses that switch on
    half, third, inhibit = (float((after[scheme] - shares)[low].mean()) for scheme in ("half", "third", "inhibit"))
    assert half > third + 0.05
    assert half > 0.1
    assert abs(inhibit) < 0.02
    coupled = disturbed(evolution, shares, selects, "inhibit", NOR(coupled_share=0.5)).condition.switched_fraction
    assert (
        float((coupled - shares)[shares > 0.8].mean()) < float((after["inhibit"] - shares)[shares > 0.8].mean()) - 0.1
    )
    # More half-selects, more disturb: the first cells see most of them.
    flat = np.full((8, 8), 0.05)
    gained = disturbed(evolution, flat, selects, "half").condition.switched_fraction
    assert np.all(np.diff(gained.ravel()[np.argsort((selects.same_row + selects.same_column).ravel())]) > -1e-12)


def test_what_cannot_be_is_refused(card: DeviceCard, evolution: Evolution) -> None:
    selects = half_selects(PULSES)
    silent = Evolution(card.model_copy(update={"switching": None}))
    with pytest.raises(CardError, match=r"\[switching\]"):
        disturbed(silent, np.zeros(PULSES.shape), selects, "half")
    with pytest.raises(ArgumentError, match="switched_fraction"):
        disturbed(evolution, np.zeros((2, 2)), selects, "half")
    with pytest.raises(ArgumentError, match="scheme"):
        disturbed(evolution, np.zeros(PULSES.shape), selects, "half", NOR())
    with pytest.raises(ArgumentError, match="pulses"):
        half_selects(PULSES.astype(float))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="pulses"):
        half_selects(-PULSES - 1)
    with pytest.raises(ArgumentError, match="order"):
        half_selects(PULSES, "at once")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="reset_share"):
        Pulse(1.0, 1e-6, 1e-6, 2.0)
    none = HalfSelects(*(np.zeros((2, 2), dtype=np.int64) for _ in range(3)))
    still = disturbed(evolution, np.full((2, 2), 0.3), none, "half").condition.switched_fraction
    np.testing.assert_allclose(still, 0.3, atol=1e-9)
