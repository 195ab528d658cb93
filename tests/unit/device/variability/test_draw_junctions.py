from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ferrogen.core.errors import ArgumentError, CardError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import DeviceCard
from ferrogen.device.parameter import Parameter, Spread
from ferrogen.device.variability.draw import (
    correlation_matrix,
    draw_cycles,
    draw_ensemble,
    draw_junctions,
    from_normal,
    lognormal_correlation,
    varying_parameters,
)

Raw = Callable[[], dict[str, Any]]


def item(value: float, unit: str, kind: str = "", distribution: str = "", width: float = 0.0) -> dict[str, Any]:
    out: dict[str, Any] = {"value": value, "unit": unit, "status": "assumed", "source": "none"}
    if kind:
        out["spread"] = {"kind": kind, "distribution": distribution, "value": width}
    return out


def card_with(raw_card: Raw, **changes: float) -> DeviceCard:
    value = {"on_off": 0.6, "on_pol": 0.4, "off_pol": 0.1, "stuck_on": 0.05, "stuck_off": 0.1, "memory": 0.5} | changes
    raw = raw_card()
    raw["switching"] = {
        "remanent_polarization": item(0.24, "C/m^2", "d2d", "normal", 0.02),
        "activation_field": item(1.5e8, "V/m", "domain", "lognormal", 0.3),
        "attempt_time": item(3.6e-6, "s"),
        "field_exponent": item(3.3, "1"),
        "nucleation_exponent": item(1.0, "1"),
        "local_bias_field": item(0.0, "V/m", "domain", "normal", 2e7),
        "domain_area": item(1e-16, "m^2"),
    }
    raw["variability"] = {
        "on_off_correlation": item(value["on_off"], "1"),
        "on_polarization_correlation": item(value["on_pol"], "1"),
        "off_polarization_correlation": item(value["off_pol"], "1"),
        "activation_scale": item(1.0, "1", "d2d", "lognormal", 0.03),
        "bias_shift": item(0.0, "V/m", "d2d", "normal", 5e6),
        "cycle_scale": item(1.0, "1", "c2c", "lognormal", 0.016),
        "cycle_correlation": item(value["memory"], "1"),
        "stuck_on_share": item(value["stuck_on"], "1"),
        "stuck_off_share": item(value["stuck_off"], "1"),
    }
    return DeviceCard.model_validate(raw)


def test_every_parameter_with_a_spread_between_devices_is_drawn(raw_card: Raw) -> None:
    card = card_with(raw_card)
    names = set(varying_parameters(card))
    assert names >= {
        "on_conductance",
        "off_conductance",
        "switching.remanent_polarization",
        "variability.activation_scale",
        "variability.bias_shift",
    }
    assert "traps_per_cell" not in names
    assert "switching.activation_field" not in names
    drawn = draw_junctions(card, 50, Streams(1).generator(Purpose.VARIABILITY))
    assert set(drawn.values) == names
    assert all(values.shape == (50,) and np.all(np.isfinite(values)) for values in drawn.values.values())


def test_first_junctions_of_a_longer_draw_are_those_of_a_shorter(raw_card: Raw) -> None:
    card = card_with(raw_card)
    short = draw_junctions(card, 20, Streams(1).generator(Purpose.VARIABILITY))
    long = draw_junctions(card, 200, Streams(1).generator(Purpose.VARIABILITY))
    # A matrix product may round differently for other shapes.
    np.testing.assert_allclose(short.values["on_conductance"], long.values["on_conductance"][:20], rtol=1e-12)
    np.testing.assert_array_equal(short.stuck_on, long.stuck_on[:20])


def test_stuck_cells_do_not_follow_their_state(raw_card: Raw) -> None:
    card = card_with(raw_card, stuck_on=0.3, stuck_off=0.3)
    drawn = draw_junctions(card, 200, Streams(2).generator(Purpose.VARIABILITY))
    assert not np.any(drawn.stuck_on & drawn.stuck_off)
    on, off = drawn.conductance(1.0), drawn.conductance(np.zeros(200))
    free = ~drawn.stuck_on & ~drawn.stuck_off
    assert 0 < free.sum() < 200
    np.testing.assert_array_equal(on[~free], off[~free])
    assert np.all(on[free] > 5.0 * off[free])
    assert np.all(off[drawn.stuck_on] > 5.0 * on[drawn.stuck_off].max())


def test_ensemble_has_the_drawn_parameters(raw_card: Raw) -> None:
    card = card_with(raw_card)
    drawn = draw_junctions(card, 400, Streams(3).generator(Purpose.VARIABILITY))
    ensemble = draw_ensemble(card, drawn, Streams(3).generator(Purpose.DOMAINS))
    np.testing.assert_array_equal(ensemble.remanent_polarization, drawn.values["switching.remanent_polarization"])
    # 100 domains of log-width 0.3: the mean logarithm of a cell scatters by 0.03, as does the drawn scale.
    own = np.log(ensemble.activation_field).mean(axis=1)
    assert np.corrcoef(own, np.log(drawn.values["variability.activation_scale"]))[0, 1] > 0.6
    assert np.corrcoef(ensemble.local_bias_field.mean(axis=1), drawn.values["variability.bias_shift"])[0, 1] > 0.85


def test_full_correlation_is_full(raw_card: Raw) -> None:
    card = card_with(raw_card, on_off=1.0, on_pol=0.0, off_pol=0.0)
    drawn = draw_junctions(card, 50, Streams(4).generator(Purpose.VARIABILITY))
    logs = [np.log(drawn.values[name]) for name in ("on_conductance", "off_conductance")]
    assert np.corrcoef(*logs)[0, 1] == pytest.approx(1.0)


def test_correlations_that_cannot_be_are_refused(raw_card: Raw) -> None:
    card = card_with(raw_card, on_off=0.9, on_pol=0.9, off_pol=-0.9)
    with pytest.raises(CardError, match="cannot all hold"):
        correlation_matrix(card)


def test_card_without_the_section_is_refused(raw_card: Raw) -> None:
    card = card_with(raw_card).model_copy(update={"variability": None})
    with pytest.raises(CardError, match="variability"):
        draw_junctions(card, 5, Streams(1).generator(Purpose.VARIABILITY))
    with pytest.raises(CardError, match="variability"):
        draw_cycles(card, 5, 5, Streams(1).generator(Purpose.VARIABILITY))


def test_spread_of_every_kind() -> None:
    def parameter(spread: Spread | None) -> Parameter:
        return Parameter(value=2.0, unit="1", status="assumed", source="none", spread=spread)

    z = np.array([-1e3, 0.0, 1e3])
    uniform = Spread(kind="d2d", distribution="uniform", value=0.5)
    np.testing.assert_allclose(from_normal(parameter(uniform), z), [1.5, 2.0, 2.5])
    wide = Spread(kind="d2d", distribution="loguniform", low=1.0, high=100.0)
    np.testing.assert_allclose(from_normal(parameter(wide), z), [1.0, 10.0, 100.0])
    np.testing.assert_allclose(from_normal(parameter(None), z), 2.0)
    with pytest.raises(CardError, match="poisson"):
        from_normal(parameter(Spread(kind="d2d", distribution="poisson")), z)


def test_numbers_that_cannot_be_drawn_are_refused(raw_card: Raw) -> None:
    card, generator = card_with(raw_card), Streams(1).generator(Purpose.VARIABILITY)
    for cells in (0, -1, 10**9):
        with pytest.raises(ArgumentError, match="`cells`"):
            draw_junctions(card, cells, generator)
    with pytest.raises(ArgumentError, match="`cycles`"):
        draw_cycles(card, 5, 0, generator)
    with pytest.raises(ArgumentError, match="`correlation`"):
        lognormal_correlation(0.1, 0.1, 1.5)
    with pytest.raises(ArgumentError, match="`first`"):
        lognormal_correlation(0.0, 0.1, 0.5)
