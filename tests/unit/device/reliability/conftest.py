from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ferrogen.device.card import DeviceCard
from ferrogen.device.parameter import Parameter, Spread
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.reliability.spec import ReliabilitySpec

VALUES = {
    "wake_up_share": (0.2, "1"),
    "wake_up_cycles": (1e3, "1"),
    "wake_up_exponent": (0.5, "1"),
    "pinching_field": (3e7, "V/m"),
    "cycling_activation_energy": (0.1, "eV"),
    "fatigue_cycles": (1e9, "1"),
    "fatigue_exponent": (0.5, "1"),
    "imprint_field": (2e6, "V/m"),
    "imprint_time": (1.0, "s"),
    "imprint_activation_energy": (0.5, "eV"),
    "retention_time": (1e12, "s"),
    "retention_exponent": (0.25, "1"),
    "retention_activation_energy": (1.0, "eV"),
    "breakdown_voltage": (4.0, "V"),
    "breakdown_time": (1.0, "s"),
    "breakdown_acceleration": (10.0, "1/V"),
    "breakdown_shape": (1.5, "1"),
    "breakdown_activation_energy": (0.5, "eV"),
}


def item(value: float, unit: str, spread: Spread | None = None) -> Parameter:
    return Parameter(value=value, unit=unit, status="assumed", source="none", spread=spread)


@pytest.fixture(scope="session")
def reliability() -> Callable[..., ReliabilitySpec]:
    """A section [reliability], with any value changed by name; None leaves an optional one out."""

    def make(**changes: float | None) -> ReliabilitySpec:
        fields = {}
        for name, (value, unit) in VALUES.items():
            changed = changes.get(name, value)
            if changed is not None:
                fields[name] = item(changed, unit)
        return ReliabilitySpec(**fields)

    return make


@pytest.fixture(scope="session")
def switching() -> SwitchingSpec:
    """A section [switching] of a 10 nm HZO film with scattered local bias."""
    return SwitchingSpec(
        remanent_polarization=item(0.24, "C/m^2"),
        activation_field=item(1.55e8, "V/m", Spread(kind="domain", distribution="lognormal", value=0.33)),
        attempt_time=item(3.6e-6, "s"),
        field_exponent=item(3.3, "1"),
        nucleation_exponent=item(1.0, "1"),
        local_bias_field=item(0.0, "V/m", Spread(kind="domain", distribution="normal", value=2.4e7)),
        domain_area=item(1e-16, "m^2"),
    )


@pytest.fixture
def aging_card(raw_card: Callable[[], dict[str, Any]], reliability: Callable[..., ReliabilitySpec]) -> DeviceCard:
    """The shipped card with a section [reliability] and the ranges that ageing needs."""
    raw = raw_card()
    raw["reliability"] = reliability().model_dump(exclude_none=True)
    raw["validity"] |= {"cycles": [0.0, 1e8], "storage_time": [0.0, 1e6]}
    return DeviceCard.model_validate(raw)
