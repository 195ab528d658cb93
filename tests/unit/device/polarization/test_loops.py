from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.constants import epsilon_0

from ferrogen.core.errors import ArgumentError
from ferrogen.device import waveforms
from ferrogen.device.polarization.domains import draw_domains, mean_domains
from ferrogen.device.polarization.landau import LandauParameters
from ferrogen.device.polarization.loops import (
    Loop,
    LoopFigures,
    current_density,
    hysteresis_loop,
    loop_figures,
    pund_charges,
    reversal_curves,
)
from ferrogen.device.polarization.models import DomainModel, LandauModel, PolarizationModel, PreisachModel
from ferrogen.device.polarization.preisach import PreisachParameters, preisach_density, saturation_branch
from ferrogen.device.polarization.spec import SwitchingSpec

Make = Callable[..., SwitchingSpec]
PREISACH = PreisachParameters(0.3, 0.24, 1.2e8, bias_field=0.1e8)


def _figures(loop: Loop) -> LoopFigures:
    return loop_figures(loop.field, loop.polarization)


@dataclass(frozen=True)
class Paraelectric:
    """A linear dielectric that answers at once."""

    susceptibility: float

    def respond(self, field: waveforms.Waveform) -> NDArray[np.float64]:
        return epsilon_0 * self.susceptibility * field.voltages


def test_a_preisach_loop_has_the_figures_it_was_made_from() -> None:
    loop = hysteresis_loop(PreisachModel(PREISACH), 8e8, 1e3, steps_per_cycle=4000)
    figures = _figures(loop)
    # Steps of 0.8e6 V/m, with the polarisation of a rate-independent model half a step behind: 0.4e6 V/m.
    assert figures.coercive_field == pytest.approx(1.2e8, abs=0.5e6)
    assert figures.bias_field == pytest.approx(0.1e8, abs=0.5e6)
    assert figures.positive_remanence == pytest.approx(saturation_branch(PREISACH, 0.0, rising=False), rel=0.01)
    assert figures.negative_remanence == pytest.approx(saturation_branch(PREISACH, 0.0, rising=True), rel=0.01)
    # Two branches 2 E_c apart: the area is 2 P_s times 2 E_c, to the step's 0.4e6 V/m on each side.
    assert figures.area == pytest.approx(4.0 * 0.3 * 1.2e8, rel=0.01)
    np.testing.assert_allclose(np.diff(loop.time), 1e-3 / 4000, rtol=1e-9)


def test_loop_figures_of_a_known_curve() -> None:
    """An ellipse: P lags behind E by the angle d, so its area is pi E0 P0 sin d."""
    phase = np.linspace(0.0, 2.0 * np.pi, 2000, endpoint=False)
    figures = loop_figures(2e8 * np.cos(phase) + 1e7, 0.2 * np.cos(phase - 0.5))
    assert figures.area == pytest.approx(math.pi * 2e8 * 0.2 * math.sin(0.5), rel=1e-4)
    assert figures.positive_coercive_field == pytest.approx(2e8 * math.sin(0.5) + 1e7, rel=1e-4)
    assert figures.negative_coercive_field == pytest.approx(-2e8 * math.sin(0.5) + 1e7, rel=1e-4)
    centred = loop_figures(2e8 * np.cos(phase), 0.2 * np.cos(phase - 0.5))
    assert centred.positive_remanence == pytest.approx(0.2 * math.sin(0.5), rel=1e-4)
    assert centred.negative_remanence == pytest.approx(-0.2 * math.sin(0.5), rel=1e-4)
    above = loop_figures(2e8 + 1e8 * np.cos(phase), 0.2 + 0.1 * np.cos(phase))
    assert math.isnan(above.positive_remanence)
    assert math.isnan(above.coercive_field)


def test_coercive_field_grows_with_frequency_and_falls_with_temperature(switching: Make) -> None:
    ensemble = mean_domains(switching(), 64, 16)
    by_frequency = [
        _figures(hysteresis_loop(DomainModel(ensemble), 3e8, f, steps_per_cycle=200)).coercive_field
        for f in (1e2, 1e3, 1e4)
    ]
    by_temperature = [
        _figures(hysteresis_loop(DomainModel(ensemble, temperature=t), 3e8, 1e3, steps_per_cycle=200)).coercive_field
        for t in (250.0, 300.0, 400.0)
    ]
    assert by_frequency[0] < by_frequency[1] < by_frequency[2]
    assert by_temperature[0] > by_temperature[1] > by_temperature[2]
    assert by_frequency[1] == by_temperature[1]


def test_coercive_field_of_equal_domains_follows_merz_law(switching: Make) -> None:
    """Equal Markov domains on a ramp r: P crosses zero where the integral of dE / (r tau(E)) is ln 2."""
    spec = switching(log_width=0.0, bias_width=0.0, field_exponent=1.0, activation_field=20e8, attempt_time=1e-9)
    model = DomainModel(mean_domains(spec))
    for frequency in (1e2, 1e4):
        loop = hysteresis_loop(model, 3e8, frequency, steps_per_cycle=8000)
        grid = np.linspace(1e6, 3e8, 200_000)
        hazard = np.cumsum(np.exp(-20e8 / grid)) * (grid[1] - grid[0]) / (4 * 3e8 * frequency) / 1e-9
        expected = float(np.interp(math.log(2.0), hazard, grid))
        # Steps of 1.5e5 V/m.
        assert _figures(loop).coercive_field == pytest.approx(expected, abs=2e5)


def test_minor_loops_are_smaller_and_lie_where_the_offset_puts_them(switching: Make) -> None:
    model = DomainModel(mean_domains(switching(), 64, 16))
    major = _figures(hysteresis_loop(model, 3e8, 1e3, steps_per_cycle=200))
    minor = hysteresis_loop(model, 0.8e8, 1e3, offset=0.3e8, steps_per_cycle=200, settling_cycles=5)
    assert 0.0 < _figures(minor).area < 0.5 * major.area
    assert minor.field.max() == pytest.approx(1.1e8, rel=0.02)


def test_pund_of_a_paraelectric_switches_nothing_and_of_domains_twice_the_remanence(switching: Make) -> None:
    linear = pund_charges(Paraelectric(40.0), 2e8, 1e-6, 1e-5, 1e-5)
    assert linear.positive == pytest.approx(epsilon_0 * 40.0 * 2e8)
    assert linear.positive_switched == pytest.approx(0.0, abs=1e-15)
    assert linear.negative_switched == pytest.approx(0.0, abs=1e-15)
    assert linear.positive_remanent == linear.down_remanent == 0.0

    spec = switching(bias_width=0.0, log_width=0.1)
    charges = pund_charges(DomainModel(mean_domains(spec)), 4e8, 1e-6, 1e-3, 1e-5, permittivity=30.0)
    assert charges.positive_switched == pytest.approx(2 * 0.24, rel=1e-3)
    assert charges.negative_switched == pytest.approx(-2 * 0.24, rel=1e-3)
    assert charges.up == pytest.approx(epsilon_0 * 30.0 * 4e8, rel=1e-3)
    assert charges.positive_remanent == pytest.approx(2 * 0.24, rel=1e-3)


def test_pund_of_half_switched_domains_tells_what_is_left_for_the_second_pulse(switching: Make) -> None:
    model = DomainModel(mean_domains(switching(bias_width=0.0, log_width=0.05)))
    charges = pund_charges(model, 1.3e8, 1e-9, 3e-6, 1e-5)
    assert charges.up_remanent > 0.01
    assert charges.positive_switched < charges.positive


def test_reversal_curves_return_the_density_they_were_made_from() -> None:
    """The mixed difference is the mean density over a cell; the middle of the cell is wrong by (cell / width)^2."""
    curves = reversal_curves(PreisachModel(PREISACH), 4e8, 161, 1e12)
    field, reversal, density = curves.density
    exact = preisach_density(PREISACH, field[None, :], reversal[:, None])
    known = np.isfinite(density)
    assert known.sum() == 160 * 159 // 2  # cells wholly above the diagonal
    # Cells of 5e6 V/m beside a width of 5.5e7: (1 / 11)^2 / 12 times a curvature below 1, twice.
    np.testing.assert_allclose(density[known], exact[known], atol=2e-3 * exact.max())
    peak = np.unravel_index(np.nanargmax(density), density.shape)
    assert field[peak[1]] == pytest.approx(1.3e8, abs=3e6)
    assert reversal[peak[0]] == pytest.approx(-1.1e8, abs=3e6)


def test_current_integrates_to_the_charge_and_a_ramp_gives_a_constant_one() -> None:
    ramp = waveforms.concatenate(waveforms.ramp(0.0, 2e8, 1e-3, 50), waveforms.ramp(2e8, -1e8, 1e-3, 25))
    none = np.zeros(ramp.steps)
    current = current_density(ramp, none, 30.0, start=0.0)
    np.testing.assert_allclose(current[:48], epsilon_0 * 30.0 * 2e8 / 1e-3, rtol=1e-9)
    assert current @ ramp.durations == pytest.approx(-epsilon_0 * 30.0 * 1e8, rel=1e-9)

    model = PreisachModel(PREISACH)
    response = model.respond(ramp)
    start = float(saturation_branch(PREISACH, 0.0, rising=True))
    switching = current_density(ramp, response, 0.0, start=start)
    assert switching @ ramp.durations == pytest.approx(response[-1] - start)
    whole = current_density(ramp, response, 30.0, start=start)
    np.testing.assert_allclose(whole - switching, current, rtol=1e-6)
    np.testing.assert_array_equal(current_density(waveforms.constant(1e8, 2.0), [0.1], 30.0, start=0.0), [0.05])


def test_all_three_models_answer_the_same_door(switching: Make) -> None:
    random_domains = draw_domains(switching(), 1e-14, 4, np.random.default_rng(1))
    models: list[PolarizationModel] = [
        DomainModel(mean_domains(switching(), 32, 8)),
        DomainModel(random_domains, key=np.uint64(3), threads=2),
        PreisachModel(PREISACH),
        LandauModel(LandauParameters(0.24, 1e8, 50.0)),
    ]
    for model in models:
        first = hysteresis_loop(model, 4e8, 1e3, steps_per_cycle=80)
        again = hysteresis_loop(model, 4e8, 1e3, steps_per_cycle=80)
        np.testing.assert_array_equal(first.polarization, again.polarization)
        figures = _figures(first)
        assert figures.positive_coercive_field > 0.0 > figures.negative_coercive_field
        assert figures.positive_remanence > 0.1 > -0.1 > figures.negative_remanence


@pytest.mark.parametrize(
    "call",
    [
        lambda: loop_figures([1.0, 2.0], [1.0, 2.0]),
        lambda: loop_figures(np.zeros(5), np.full(5, np.nan)),
        lambda: hysteresis_loop(PreisachModel(PREISACH), 1e8, -1.0),
        lambda: hysteresis_loop(PreisachModel(PREISACH), 1e8, 1.0, settling_cycles=-1),
        lambda: pund_charges(PreisachModel(PREISACH), 1e8, 1e-6, 1e-6, 0.0),
        lambda: pund_charges(PreisachModel(PREISACH), 1e8, 1e-6, 1e-6, 1e-6, permittivity=-1.0),
        lambda: reversal_curves(PreisachModel(PREISACH), 1e8, 2, 1.0),
        lambda: reversal_curves(PreisachModel(PREISACH), -1e8, 10, 1.0),
        lambda: current_density(waveforms.constant(1.0, 1.0), [1.0, 2.0], 1.0, start=0.0),
        lambda: current_density(waveforms.constant(1.0, 1.0), [1.0], 1.0, start=math.nan),
    ],
)
def test_what_cannot_be_measured_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ArgumentError):
        call()
