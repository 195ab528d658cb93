from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError, CardError
from ferrogen.device.card import DeviceCard
from ferrogen.device.electrostatics.interface_charge import (
    InterfaceSites,
    interface_charge_of,
    relaxed,
    settled,
    step_response,
    total_charge,
)


def _parameter(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "status": "assumed", "source": "none"}


def test_sites_of_a_card(raw_card: Callable[[], dict[str, Any]]) -> None:
    data = raw_card()
    data.pop("interface", None)
    with pytest.raises(CardError, match="interface"):
        interface_charge_of(DeviceCard.model_validate(data))
    time = _parameter(1e-2, "s")
    data["interface"] = {
        "built_in_voltage": _parameter(0.0, "V"),
        "compensated_share": _parameter(0.8, "1"),
        "compensation_time": time,
    }
    alike = interface_charge_of(DeviceCard.model_validate(data))
    assert (alike.bins, alike.time_constants.tolist()) == (1, [1e-2])
    time["spread"] = {"kind": "trap", "distribution": "loguniform", "low": 1e-7, "high": 1e3}
    spread = interface_charge_of(DeviceCard.model_validate(data))
    assert spread.bins == 30
    assert spread.time_constants[0] == pytest.approx(1e-7 * 10 ** (1 / 6), rel=1e-9, abs=0.0)


@given(st.floats(0.0, 1.0), st.floats(-9.0, 3.0), st.floats(0.0, 9.0), st.integers(1, 40), st.floats(0.0, 1e6))
def test_steps_compose_and_tend_to_equilibrium(
    share: float, shortest: float, decades: float, bins: int, time: float
) -> None:
    """Two half steps are one whole step, the charge never overshoots, and ages bring the equilibrium."""
    sites = InterfaceSites(share, 10.0**shortest, 10.0 ** (shortest + decades), bins)
    start = settled(sites, -0.2)
    once = relaxed(sites, start, 0.2, time)
    np.testing.assert_allclose(once, relaxed(sites, relaxed(sites, start, 0.2, time / 2), 0.2, time / 2), atol=1e-12)
    assert (np.abs(once) <= 0.2 * share / bins + 1e-15).all()
    assert total_charge(relaxed(sites, start, 0.2, 1e15)) == pytest.approx(-0.2 * share, abs=1e-12)
    assert 0.0 <= float(step_response(sites, time)) <= 1.0 + 1e-9


def test_broadcasts_over_cells() -> None:
    sites = InterfaceSites(0.5, 1e-6, 1.0, 8)
    charges = relaxed(sites, np.zeros((5, 8)), np.linspace(-0.2, 0.2, 5), 1e-3)
    assert charges.shape == (5, 8)
    assert total_charge(charges).shape == (5,)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: InterfaceSites(-0.1, 1.0, 2.0, 1), "compensated_share"),
        (lambda: InterfaceSites(0.1, 2.0, 1.0, 1), "longest"),
        (lambda: InterfaceSites(0.1, 1.0, 2.0, 0), "bins"),
        (lambda: relaxed(InterfaceSites(0.1, 1.0, 2.0, 3), np.zeros(2), 0.1, 1.0), "charges"),
        (lambda: relaxed(InterfaceSites(0.1, 1.0, 2.0, 3), np.zeros(3), 0.1, -1.0), "duration"),
        (lambda: relaxed(InterfaceSites(0.1, 1.0, 2.0, 3), np.zeros(3), np.nan, 1.0), "polarization"),
        (lambda: step_response(InterfaceSites(0.1, 1.0, 2.0, 3), -1.0), "duration"),
    ],
)
def test_nonsense_is_refused(call: Callable[[], object], name: str) -> None:
    with pytest.raises(ArgumentError, match=name):
        call()
