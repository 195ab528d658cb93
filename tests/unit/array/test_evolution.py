"""Drift of an array's weights while it is used, against the junction cycle by cycle and against drawn cells.

Statistical tests state their level where they are; each is 1e-3 or less.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from ferrogen.array.evolution import Evolution, Polarity
from ferrogen.array.evolution_exposure import Exposure, Stage
from ferrogen.core.errors import ArgumentError, ValidityError
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.device.junction import JunctionState, draw_cells
from ferrogen.device.polarization.ensemble import DomainState
from ferrogen.device.programming.spec import ProgrammingSpec
from ferrogen.device.programming.write_verify import card_pulses, write_verify_junction

CYCLE = ((1.2, 1e-3), (1.2, 1e-3), (0.1, 9e-4), (0.1, 1e-4))
COARSE = (20, 8)  # nodes where only signs and sizes matter
SHARES = np.random.default_rng(3).random((24, 16))


@pytest.fixture(scope="module")
def card() -> DeviceCard:
    """The stand-in card without imprint, which a junction does not know of."""
    return load_card("hzo-mfis-nor").model_copy(update={"reliability": None})


@pytest.fixture(scope="module")
def against(card: DeviceCard) -> Evolution:
    return Evolution(card, -1, seed=4, nodes=(32, 12))


@pytest.fixture(scope="module")
def along(card: DeviceCard) -> Evolution:
    return Evolution(card, 1, seed=4, nodes=(32, 12))


@pytest.mark.parametrize("polarity", [-1, 1])
def test_blocks_of_cycles_are_cycles_one_by_one(
    polarity: Polarity, card: DeviceCard, against: Evolution, along: Evolution
) -> None:
    evolution = {-1: against, 1: along}[polarity]
    cells = evolution.mean_cells()
    start = cells.programmed
    chosen = np.array([0, 5, 10, 15])
    one = draw_cells(card, 1, 0, random_flips=False)
    junction = dataclasses.replace(
        one, ensemble=cells.ensemble.select(chosen), on_conductance=np.ones(4), off_conductance=np.ones(4)
    )
    parts = (item[chosen] for item in (start.start, start.history, start.direction))
    state = JunctionState(DomainState(*parts), start.charge[chosen], 0)
    worst = []
    for cycle in range(1, 31):
        for voltage, duration in ((1.2, 2e-3), (0.1, 1e-3)):
            # From the third cycle on hardly anything switches, and coarse steps do.
            steps = 8 if cycle < 3 else 1
            state = junction.advance(state, polarity * voltage, duration, steps_per_decade=steps)
        if cycle in (1, 2, 5, 17, 30):
            found = evolution.table(Exposure((Stage(cycle, CYCLE),))).after[chosen]
            worst.append(float(np.abs(found - junction.switched_fraction(state)).max()))
    assert worst[0] < 2e-4  # the first cycle is followed alike
    assert max(worst) < 2.5e-3  # of the whole range: what a block leaves out


@pytest.mark.parametrize(("polarity", "target"), [(-1, 0.5), (1, 0.25), (1, 0.0)])
def test_drawn_cells_that_flip_at_random_drift_alike(
    polarity: Polarity, target: float, card: DeviceCard, against: Evolution, along: Evolution
) -> None:
    count = 150
    cells = draw_cells(card, count, seed=11)
    on, off = card.on_conductance.value, card.off_conductance.value
    cells = dataclasses.replace(cells, on_conductance=np.full(count, on), off_conductance=np.full(count, off))
    state = cells.initial_state()
    if target > 0.0:
        shape = 4.0 * math.sinh(0.25)  # the verify read is at 0.1 V, V0 = 0.4 V
        how = card_pulses(card.require(ProgrammingSpec), tolerance=0.03)
        wanted = (off + target * (on - off)) * shape
        state = write_verify_junction(cells, state, wanted, how, np.random.default_rng(0)).state
    before = cells.switched_fraction(state)
    for voltage, duration in ((1.2, 2e-3), (0.1, 1e-3)):
        state = cells.advance(state, polarity * voltage, duration, steps_per_decade=2)
    drift = cells.switched_fraction(state) - before
    evolution = {-1: against, 1: along}[polarity]
    many = np.tile(before[:, None], 30)
    expected = evolution.after(many, Exposure((Stage(1, CYCLE),))).switched_fraction - many
    # The means agree within 3.3 standard errors of both (level 1e-3) and 1 % of the range: write-verify also gives
    # pulses that the ladder's train does not, and coarse steps of the junction add 0.4 %.
    error = drift.std() / math.sqrt(count)
    assert abs(drift.mean() - expected.mean()) < 3.3 * error + 0.01
    # Stated factor of the standard deviations: 1.4 (a variance of 0.6 to 1.9 times is what long runs give); the
    # sampling error of the ratio is 6 %, three of which make it 1.7.
    assert 1.0 / 1.7 < expected.std() / drift.std() < 1.7
    assert drift.std() > 0.005
    if target in (0.5, 0.0):
        assert abs(drift.mean()) > 0.15  # something happens


def test_a_cell_is_one_function_of_the_cycles(against: Evolution) -> None:
    exposure = Exposure((Stage(1e5, CYCLE),))
    numbers = (1, 2, 7, 60, 1e3, 31623, 1e5)
    followed = [against.after(SHARES, exposure.until(n), tile=3).switched_fraction for n in numbers]
    again = (
        Evolution(against.card, -1, seed=4, nodes=(32, 12)).after(SHARES, exposure.until(1e3), tile=3).switched_fraction
    )
    np.testing.assert_array_equal(again, followed[4])  # no state in between was asked for
    assert np.all(np.abs(np.diff(followed, axis=0)) < 0.35)
    # Against set pulses domains fall, and so does every cell, to within one of its domains: some few rise in the field
    # of a cell that is off, and the damping changes along the way.
    assert np.max(np.diff(followed, axis=0)) < 1.0 / against.domains
    mean = [float(part.mean()) for part in followed]
    assert mean[-1] < 0.8 * mean[0] < 0.8 * float(SHARES.mean())
    part = SHARES[:3]
    other = against.after(part, exposure.until(60), tile=2).switched_fraction
    assert not np.array_equal(other, followed[3][:3])


def test_scatter_has_the_mean_and_variance_that_domains_give(along: Evolution, against: Evolution) -> None:
    shares = np.full((200, 200), 0.4)
    for evolution in (along, against):
        exposure = Exposure((Stage(100, CYCLE),))
        table = evolution.table(exposure)
        kept, gained, damping = (
            float(np.interp(0.4, table.before, part)) for part in (table.kept, table.gained, table.damping)
        )
        mean = float(np.interp(0.4, table.before, table.after))
        variance = damping**2 * (0.4 * kept * (1 - kept) + 0.6 * gained * (1 - gained)) / evolution.domains
        found = evolution.after(shares, exposure).switched_fraction
        # 40,000 cells: 3.5 standard errors (level 5e-4) and what the tabulation costs, 3e-3 of the standard deviation.
        assert abs(found.mean() - mean) < 3.5 * math.sqrt(variance / 40000) + 3e-3 * math.sqrt(variance)
        assert found.var() == pytest.approx(variance, rel=0.03)  # 3.3 standard errors, for little excess kurtosis


def test_temperature_steps_and_storage_are_followed(card: DeviceCard) -> None:
    evolution = Evolution(card, -1, scatter=False, nodes=COARSE)

    def mean(exposure: Exposure) -> float:
        return float(evolution.after(SHARES, exposure).switched_fraction.mean())

    cold = Exposure((Stage(1000, CYCLE, 300.0),))
    warm = Exposure((Stage(1000, CYCLE, 360.0),))
    both = Exposure((Stage(500, CYCLE, 300.0), Stage(500, CYCLE, 360.0)))
    assert mean(warm) < mean(both) < mean(cold)
    assert mean(both) - mean(warm) < 0.5 * (mean(cold) - mean(warm))  # the activated half decides
    # Two stages of one temperature are one, to what another grid of blocks costs.
    split = Exposure((Stage(400, CYCLE, 300.0),)).then(Stage(600, CYCLE, 300.0))
    assert split == cold
    stored = Exposure(storage_time=1e3)
    rested = Exposure((Stage(1, ((0.0, 1e3),)),))
    assert mean(stored) == pytest.approx(mean(rested), abs=1e-12)
    assert mean(stored) < float(SHARES.mean()) - 0.01  # the depolarisation field alone


def test_ageing_scales_conductances_and_imprint_keeps_states() -> None:
    card = load_card("hzo-mfis-nor")
    evolution = Evolution(card, -1, scatter=False, nodes=COARSE)
    woken, tired = Exposure(program_erase_cycles=1e5), Exposure(program_erase_cycles=1e6)
    on, off = evolution.conductance_factors(tired)
    assert on < evolution.conductance_factors(woken)[0] < 1.0
    assert on * off == pytest.approx(1.0)
    assert evolution.conductance_factors(Exposure()) == (1.0, 1.0)
    condition = evolution.after(SHARES, tired)
    assert (condition.on_factor, condition.off_factor) == (on, off)
    # Imprint favours the stored state: after a long storage a set cell loses less to reads.
    bare = Evolution(card.model_copy(update={"reliability": None}), -1, scatter=False, nodes=COARSE)
    long = Exposure((Stage(100, CYCLE),), storage_time=1e6)
    with_imprint, without = (item.table(long).after[-1] for item in (evolution, bare))
    assert with_imprint > without + 0.01
    assert evolution.extrapolations(Exposure((Stage(1e9, CYCLE),), program_erase_cycles=1e9))


def test_a_card_that_says_nothing_keeps_what_was_programmed() -> None:
    card = load_card("hzo-mfis-nor").model_copy(update={"switching": None})
    condition = Evolution(card).after(SHARES, Exposure((Stage(10, CYCLE),)))
    np.testing.assert_array_equal(condition.switched_fraction, SHARES)
    assert not condition.followed
    assert "[switching]" in condition.remark
    foreign = Evolution(load_card("hzo-mfis-nor").model_copy(update={"model": "someone-elses"}))
    assert "someone-elses" in foreign.remark
    assert Evolution(load_card("hzo-mfis-nor")).remark == ""


def test_exposures_add_up_and_bad_ones_are_refused(against: Evolution) -> None:
    exposure = Exposure((Stage(3, CYCLE), Stage(0, CYCLE), Stage(4, CYCLE), Stage(5, CYCLE, 310.0)), storage_time=2.0)
    assert [stage.cycles for stage in exposure.stages] == [7, 5]
    assert exposure.cycles == 12
    assert exposure.time == pytest.approx(2.0 + 12 * 3e-3)
    assert exposure.until(9).stages[-1].cycles == 2
    assert exposure.until(0).stages == ()
    with pytest.raises(ArgumentError, match="at most 12"):
        exposure.until(13)
    with pytest.raises(ArgumentError, match="cycles"):
        Stage(0.5, CYCLE)
    with pytest.raises(ArgumentError, match="phases"):
        Stage(1, ())
    with pytest.raises(ArgumentError, match="phases"):
        Stage(1, ((1.0, -1e-3),))
    with pytest.raises(ValidityError, match="temperature"):
        against.after(SHARES, Exposure((Stage(1, CYCLE, 900.0),)))
    with pytest.raises(ValidityError, match="voltage"):
        against.after(SHARES, Exposure((Stage(1, ((9.0, 1e-3),)),)))
    with pytest.raises(ArgumentError, match="switched_fraction"):
        against.after(SHARES + 1.0, exposure)
    with pytest.raises(ArgumentError, match="tile"):
        against.after(SHARES, exposure, tile=-1)
    with pytest.raises(ArgumentError, match="polarity"):
        Evolution(against.card, 0)  # type: ignore[arg-type]
