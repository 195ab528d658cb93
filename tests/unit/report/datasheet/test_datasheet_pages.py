from __future__ import annotations

import math

import numpy as np
import pytest

from ferrogen.device.card import DeviceCard, card_names, load_card
from ferrogen.device.polarization.kinetics import LogNormalField, switched_fraction
from ferrogen.report.datasheet import (
    breakdown,
    disturb,
    endurance,
    kinetics,
    levels,
    loops,
    programming,
    retention,
    reversal,
    scatter,
    transport,
)
from ferrogen.report.datasheet import subject as subject_module
from ferrogen.report.datasheet.page import Content, Curve, Map, Plot, TextTable, section_title
from ferrogen.report.datasheet.pages import NAMES, load_pages
from ferrogen.report.datasheet.subject import Subject, spelled


@pytest.fixture(scope="module")
def ideal() -> Subject:
    return Subject(load_card("ideal"), cells=50)


@pytest.fixture(scope="module")
def stacked() -> Subject:
    return Subject(load_card("hzo-mfis-nor"), cells=50)


def drawn(content: Content, panel: str, label: str) -> Curve:
    plot = next(item for item in content.panels if item.name == panel)
    assert isinstance(plot, Plot)
    return next(item for item in plot.curves if item.label == label)


def test_pages_are_named_as_their_files_and_need_sections_that_exist() -> None:
    pages = load_pages()
    assert [page.name for page in pages] == list(NAMES)
    for page in pages:
        for kind in page.needs:
            assert section_title(kind) in DeviceCard.model_fields


def test_every_page_of_the_ideal_card_says_what_it_assumes_and_is_finite(ideal: Subject) -> None:
    seen: set[str] = set()
    for page in load_pages():
        if page.left_out(ideal):
            continue
        content = page.make(ideal)
        names = [item.name for item in content.panels]
        assert len(set(names)) == len(names)
        assert not seen & set(content.key), "a key figure of that name exists already"
        seen |= set(content.key)
        for item in content.panels:
            assert item.title
            assert len(item.caption) > 30, (page.name, item.name)
            if isinstance(item, Plot):
                assert any(np.isfinite(one.y).any() for one in item.curves), (page.name, item.name)
                assert not any(np.isinf(one.y).any() for one in item.curves), (page.name, item.name)
            elif isinstance(item, Map):
                assert item.values.shape == (item.at_y.size, item.at_x.size)
            else:
                assert isinstance(item, TextTable)
                assert all(len(row) == len(item.heads) for row in item.rows)
        for name, figure in content.key.items():
            assert set(figure) == {"value", "unit", "meaning"}, name
            assert figure["value"] is None or math.isfinite(figure["value"]), name


@pytest.mark.parametrize("name", card_names())
def test_every_shipped_card_has_all_pages_but_those_about_traps(name: str) -> None:
    subject = Subject(load_card(name), cells=20)
    left = {page.name: page.left_out(subject) for page in load_pages() if page.left_out(subject)}
    silent = subject.card.traps_per_cell.value == 0.0
    assert set(left) == ({"traces", "spectra", "trap_times", "averaging"} if silent else set())


def test_kinetics_of_a_bare_film_are_those_of_the_closed_integral(ideal: Subject) -> None:
    spec = ideal.card.switching
    assert spec is not None
    assert not ideal.coupled
    widths = np.geomspace(1e-9, 1e-3, 13)
    volts = [1.5, 2.5]
    found = kinetics.switched(ideal, volts, widths, 300.0)
    spread = spec.activation_field.spread
    law = LogNormalField(spec.activation_field.value, spread.value if spread and spread.value else 1e-6)
    bias = spec.local_bias_field.spread
    if bias is not None and bias.value:
        pytest.skip("the closed integral knows no local bias")
    for row, voltage in zip(found, volts, strict=True):
        expected = switched_fraction(
            widths, voltage / ideal.thickness, law, attempt_time=spec.attempt_time.value,
            field_exponent=spec.field_exponent.value, nucleation_exponent=spec.nucleation_exponent.value,
        )  # fmt: skip
        # The quadrature over domains is right to 0.2 % with as few nodes as pages use.
        np.testing.assert_allclose(row, expected, atol=4e-3)


def test_half_times_are_read_between_the_widths() -> None:
    widths = np.array([1.0, 10.0, 100.0])
    shares = np.array([[0.0, 0.25, 0.75], [0.0, 0.1, 0.2], [0.6, 0.7, 0.8]])
    found = kinetics.half_times(widths, shares)
    assert found[0] == pytest.approx(10.0 * math.sqrt(10.0))
    assert np.isnan(found[1:]).all()  # never, and before the first width


def test_a_loop_opens_less_at_a_higher_frequency_and_its_coercive_voltage_grows(ideal: Subject) -> None:
    content = loops.PAGE.make(ideal)
    slow, fast = (drawn(content, "frequency", name) for name in ("100 Hz", "10 kHz"))
    found = loops.figures(slow)
    assert found.coercive_field < loops.figures(fast).coercive_field
    assert found.positive_coercive_field == pytest.approx(-found.negative_coercive_field, rel=0.1)
    assert loops.opening(slow) == pytest.approx(content.key["loop_remanent_polarization"]["value"], rel=0.05)
    hot = content.panels[1]
    assert isinstance(hot, Plot)
    widths = [loops.figures(item).coercive_field for item in hot.curves]
    assert widths == sorted(widths, reverse=True)  # colder first: a higher barrier over kT


def test_the_figures_of_a_loop_are_read_where_it_crosses_the_axes() -> None:
    x = np.concatenate([np.linspace(2.0, -2.0, 41), np.linspace(-2.0, 2.0, 41)[1:]])
    y = np.concatenate([np.linspace(2.0, -2.0, 41) + 0.5, np.linspace(-2.0, 2.0, 41)[1:] - 0.5])
    found = loops.figures(Curve("loop", x, y))
    assert found.positive_coercive_field == pytest.approx(0.5)
    assert found.negative_coercive_field == pytest.approx(-0.5)
    assert loops.opening(Curve("loop", x, y)) == pytest.approx(0.5)


def test_pund_tells_what_the_first_pulse_switches(ideal: Subject) -> None:
    key = reversal.PAGE.make(ideal).key
    spec = ideal.card.switching
    assert spec is not None
    full = 2.0 * spec.remanent_polarization.value
    assert 0.5 * full < key["pund_switched_polarization"]["value"] <= full * 1.001
    assert key["pund_negative_switched_polarization"]["value"] == pytest.approx(
        key["pund_switched_polarization"]["value"], rel=0.05
    )


def test_a_pulse_train_rises_and_falls_and_its_figures_are_those_of_the_curve(ideal: Subject) -> None:
    content = programming.PAGE.make(ideal)
    train = drawn(content, "conductance", "rising amplitude")
    half = (train.y.size - 1) // 2
    assert np.all(np.diff(train.y[: half + 1]) >= -1e-15)
    assert np.all(np.diff(train.y[half:]) <= 1e-15)
    ratio = train.y.max() / train.y.min()
    assert content.key["amplitude_dynamic_range"]["value"] == pytest.approx(ratio)


def test_disturb_grows_with_the_voltage_and_with_time(stacked: Subject) -> None:
    held = disturb.at_read_voltages(stacked)
    card = stacked.card
    off = {item.voltage: item for item in held if item.state == "off"}
    sample = off[card.default_sample_voltage]
    assert np.all(np.diff(sample.share) > -1e-6)
    assert sample.change[-1] > abs(off[card.default_multiply_voltage].change[-1]) > 0.0
    window = disturb.window_of(held)
    assert 0.0 < window <= 1.0
    life = disturb.lost_after(sample, window)
    at = np.interp(math.log(life), np.log(disturb.times()), sample.change)
    assert at == pytest.approx(0.1 * window, rel=1e-6)
    assert spelled(life, "s") in disturb.verdict(stacked) or "ten years" in disturb.verdict(stacked)


def test_coarse_steps_are_good_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    card = load_card("hzo-mfis-nor")
    coarse = disturb.at_read_voltages(Subject(card, cells=10))
    monkeypatch.setattr(subject_module, "_STEPS_PER_DECADE", 8)
    monkeypatch.setattr(subject_module, "_COUPLED_NODES", (64, 16))
    fine = disturb.at_read_voltages(Subject(card, cells=10))
    for one, two in zip(coarse, fine, strict=True):
        np.testing.assert_allclose(one.share, two.share, atol=0.01)  # what docs/how-to/read-a-data-sheet.md says
    lives = [
        disturb.lost_after(next(i for i in held if i.state == "off" and i.voltage == 1.2), disturb.window_of(held))
        for held in (coarse, fine)
    ]
    assert lives[0] == pytest.approx(lives[1], rel=0.12)


def test_a_state_that_nothing_disturbs_lasts(ideal: Subject) -> None:
    still = disturb.Disturbed("off", 0.0, np.zeros(disturb.times().size), 0.0)
    assert disturb.lost_after(still, 0.5) == math.inf
    at_once = disturb.Disturbed("off", 1.0, np.ones(disturb.times().size), 0.0)
    assert disturb.lost_after(at_once, 0.5) == disturb.times()[0]


def test_retention_of_a_film_without_other_layers_loses_nothing_to_depolarisation(ideal: Subject) -> None:
    content = retention.PAGE.make(ideal)
    assert content.key["depolarization_field_at_start"]["value"] == pytest.approx(0.0, abs=1.0)
    assert content.key["kept_after_10_years"]["value"] > 0.9


def test_life_follows_the_weibull_law_and_the_voltage_for_ten_years_gives_ten_years(stacked: Subject) -> None:
    law = breakdown.breakdown_of(stacked.card)
    key = breakdown.PAGE.make(stacked).key
    eta = key["characteristic_life_at_breakdown_voltage"]["value"]
    assert eta == pytest.approx(law.time)
    line = drawn(breakdown.PAGE.make(stacked), "weibull", "breakdown voltage")
    at = np.exp(np.interp(0.0, line.y, np.log(line.x)))
    assert at == pytest.approx(eta, rel=1e-3)
    volts = key["voltage_of_ten_years"]["value"]
    eta_there = law.time * math.exp(-law.acceleration * (volts - law.voltage))
    failed = -math.expm1(-((disturb.YEARS / eta_there) ** law.shape))
    assert failed == pytest.approx(1e-4, rel=1e-6)


def test_fatigue_halves_at_the_cycles_the_card_states(stacked: Subject) -> None:
    spec = stacked.card.reliability
    assert spec is not None
    assert endurance.PAGE.make(stacked).key["cycles_to_half"]["value"] == pytest.approx(spec.fatigue_cycles.value)


def test_levels_are_told_better_at_the_quiet_voltage(stacked: Subject) -> None:
    content = levels.PAGE.make(stacked)
    key = {name: item["value"] for name, item in content.key.items()}
    assert key["level_error_at_multiply_voltage"] < 1e-3 < key["level_error_at_sample_voltage"]
    assert key["distinguishable_levels_at_sample_voltage"] < key["distinguishable_levels_at_multiply_voltage"]
    matrix = next(item for item in content.panels if isinstance(item, Map))
    np.testing.assert_allclose(matrix.values.sum(axis=1), 1.0, atol=1e-9)


def test_transport_shows_on_above_off_and_fits_what_it_says(stacked: Subject) -> None:
    content = transport.PAGE.make(stacked)
    on, off = (drawn(content, "models", name) for name in ("on", "off"))
    assert np.all(on.y > off.y)
    fitted = drawn(content, "models", "on, fitted sinh")
    assert np.abs(np.log(fitted.y / on.y)).max() < 5.0 * content.key["reference_fit_error"]["value"] + 1e-6


def test_scatter_is_what_the_card_states(stacked: Subject) -> None:
    key = scatter.PAGE.make(stacked).key
    spread = stacked.card.on_conductance.spread
    assert spread is not None
    # 400 junctions: the deviation of a deviation is 3.5 %; 5 of it.
    assert key["on_conductance_spread"]["value"] == pytest.approx(spread.value, rel=0.18)


def test_what_lies_outside_of_the_validity_is_said_once(stacked: Subject) -> None:
    low, high = stacked.card.range_of("program_voltage")
    assert stacked.outside("program_voltage", "amplitude", 0.5 * (low + high), -high) == []
    said = stacked.outside("program_voltage", "amplitude", high + 1.0, -high - 2.0, high)
    assert len(said) == 1
    assert f"{high + 2.0:g} V" in said[0]
    bare = Subject(
        stacked.card.model_copy(
            update={"validity": stacked.card.validity.model_copy(update={"program_voltage": None})}
        ),
        cells=20,
    )
    assert bare.outside("program_voltage", "amplitude", 1.0) == [
        "The card does not say for which program voltage it holds."
    ]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.5e-6, "s", "1.5 µs"),
        (7200.0, "s", "2 hours"),
        (3.15576e8, "s", "10 years"),
        (2e-9, "A", "2 nA"),
        (3.0, "1", "3"),
    ],
)
def test_quantities_are_spelled_for_a_person(value: float, unit: str, text: str) -> None:
    assert spelled(value, unit) == text


@pytest.mark.parametrize("name", card_names())
def test_pages_stay_within_the_voltages_that_a_card_allows(name: str) -> None:
    subject = Subject(load_card(name), cells=10)
    low, high = subject.card.range_of("program_voltage")
    for page in (kinetics.PAGE, endurance.PAGE):  # a model refuses voltages beyond
        for plot in page.make(subject).panels:
            if isinstance(plot, Plot) and plot.x.unit == "V":
                assert max(np.abs(item.x).max() for item in plot.curves) <= high * (1.0 + 1e-9)
    assert low <= loops.amplitude(subject) <= high
