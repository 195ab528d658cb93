"""Programming of a whole device model: ferrogen's own junction, drawn from a card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ferrogen.core.errors import CardError, ValidityError
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.device.electrostatics.spec import InterfaceSpec
from ferrogen.device.electrostatics.stack import ferroelectric_field, stack_of
from ferrogen.device.junction import Junction, draw_cells
from ferrogen.device.polarization.domains import initial_state
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.programming.drive import drive_of, film_drive
from ferrogen.device.programming.respond import respond, respond_junction
from ferrogen.device.programming.trains import amplitude_steps, identical_pulses
from ferrogen.device.programming.variability_limits import compare_switching_noise
from ferrogen.device.programming.write_verify import IncrementalPulses, card_pulses, write_verify_junction


@pytest.fixture
def bare_card(raw_card: Callable[[], dict[str, Any]], film: Callable[..., SwitchingSpec]) -> DeviceCard:
    """A film without layers beside it: the polarisation does not change its own field."""
    raw = raw_card()
    for name in ("interface", "programming", "reliability", "variability", "hysteresis"):
        raw.pop(name, None)
    raw["interlayer_thickness"]["value"] = 0.0
    raw["switching"] = film().model_dump(exclude_none=True)
    raw["validity"] |= {"program_voltage": [0.0, 4.0], "pulse_width": [1e-9, 1e-2]}
    return DeviceCard.model_validate(raw)


def test_the_junction_responds_as_its_ensemble_does(bare_card: DeviceCard) -> None:
    junction: Junction = draw_cells(bare_card, 6, 1)
    train = amplitude_steps(0.8, 2.0, 1e-6, 8, gap=1e-6)
    whole = respond_junction(junction, junction.initial_state(), train)
    start = initial_state(junction.ensemble, key=junction.key)
    own = respond(junction.ensemble, start, train, film_drive(10e-9), key=junction.key)
    np.testing.assert_allclose(whole.switched_fraction, own.switched_fraction, atol=1e-12)
    expected = own.conductance(junction.on_conductance, junction.off_conductance)
    # The sinh characteristic at 0.1 V over 0.4 V: 1 % more than ohmic.
    np.testing.assert_allclose(whole.conductance, expected * np.sinh(0.25) / 0.25, rtol=1e-9)


def test_the_junction_is_written(bare_card: DeviceCard) -> None:
    junction = draw_cells(bare_card, 30, 2)
    how = IncrementalPulses(0.8, 0.8, 0.05, 3.0, 1e-6, tolerance=0.03)
    targets = np.repeat([2e-9, 8e-9, 14e-9], 10)
    done = write_verify_junction(junction, junction.initial_state(), targets, how, np.random.default_rng(1))
    assert done.converged.mean() > 0.9
    assert np.all(np.abs(done.error[done.converged]) <= 0.03)
    assert np.all(done.pulses > 0)


def test_pulses_beyond_the_card_are_refused(bare_card: DeviceCard) -> None:
    junction = draw_cells(bare_card, 2, 1)
    state = junction.initial_state()
    with pytest.raises(ValidityError, match="`amplitude`"):
        respond_junction(junction, state, identical_pulses(-5.0, 1e-6, 1))
    with pytest.raises(ValidityError, match="`width`"):
        respond_junction(junction, state, identical_pulses(1.0, 1.0, 1))
    how = IncrementalPulses(0.8, 0.8, 0.05, 3.0, 1e-6)
    for changed, name in ((replace(how, limit=5.0), "limit"), (replace(how, width=1e-10), "width")):
        with pytest.raises(ValidityError, match=f"`{name}`"):
            write_verify_junction(junction, state, 1e-9, changed, np.random.default_rng(1))
    with pytest.raises(ValidityError, match="`temperature`"):
        write_verify_junction(junction, state, 1e-9, how, np.random.default_rng(1), temperature=900.0)


def test_card_noise_beside_that_of_its_domains(bare_card: DeviceCard) -> None:
    compared = compare_switching_noise(bare_card, film_drive(10e-9), identical_pulses(1.5, 1e-6, 1))
    assert (compared.card, compared.domains) == (bare_card.switching_noise.value, 100)
    assert compared.weak_pulse == pytest.approx(0.1)
    assert compared.card_pulse < compared.weak_pulse
    assert 0.05 < compared.moved < 0.15
    assert compared.domains_needed == pytest.approx(compared.card**-2.0)
    silent = bare_card.switching_noise.model_copy(update={"value": 0.0})
    with pytest.raises(CardError, match="switching_noise"):
        compare_switching_noise(
            bare_card.model_copy(update={"switching_noise": silent}), film_drive(10e-9), identical_pulses(1.5, 1e-6, 1)
        )


def test_a_card_gives_its_pulses_and_its_drive() -> None:
    card = load_card("hzo-mfis-nor")
    spec = card.programming
    assert spec is not None
    how = card_pulses(spec, tolerance=0.05)
    last = how.first_set + (round(spec.pulse_count.value) - 1) * how.increment
    assert last == pytest.approx(spec.set_voltage.value, rel=1e-12)
    assert how.limit == max(spec.set_voltage.value, spec.reset_voltage.value)
    assert (how.width, how.gap, how.tolerance) == (spec.pulse_width.value, spec.pulse_gap.value, 0.05)
    drive = drive_of(card, 350.0)
    share = card.require(InterfaceSpec).compensated_share.value
    expected = ferroelectric_field(stack_of(card), 2.0, 0.1, -share * 0.1)
    assert float(drive.field(2.0, 0.1)) == pytest.approx(float(expected), rel=1e-12)
    assert (drive.temperature, drive.coupled) == (350.0, True)
    with pytest.raises(ValidityError, match="`temperature`"):
        drive_of(card, 900.0)
