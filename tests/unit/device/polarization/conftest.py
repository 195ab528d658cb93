from __future__ import annotations

from collections.abc import Callable

import pytest

from ferrogen.device.parameter import Parameter, Spread
from ferrogen.device.polarization.spec import SwitchingSpec


@pytest.fixture(scope="session")
def switching() -> Callable[..., SwitchingSpec]:
    """A section [switching] near the 10 nm HZO fit, with any value changed by name."""

    def make(**changes: float) -> SwitchingSpec:
        values = {
            "remanent_polarization": 0.24,
            "remanent_spread": 0.0,
            "activation_field": 1.55e8,
            "log_width": 0.33,
            "attempt_time": 3.6e-6,
            "field_exponent": 3.3,
            "nucleation_exponent": 1.0,
            "local_bias_field": 0.0,
            "bias_width": 0.24e8,
            "domain_area": 1e-16,
        } | changes

        def item(name: str, unit: str, spread: Spread | None = None) -> Parameter:
            return Parameter(value=values[name], unit=unit, status="assumed", source="none", spread=spread)

        return SwitchingSpec(
            remanent_polarization=item(
                "remanent_polarization",
                "C/m^2",
                Spread(kind="d2d", distribution="normal", value=values["remanent_spread"]),
            ),
            activation_field=item(
                "activation_field",
                "V/m",
                Spread(kind="domain", distribution="lognormal", value=values["log_width"]),
            ),
            attempt_time=item("attempt_time", "s"),
            field_exponent=item("field_exponent", "1"),
            nucleation_exponent=item("nucleation_exponent", "1"),
            local_bias_field=item(
                "local_bias_field", "V/m", Spread(kind="domain", distribution="normal", value=values["bias_width"])
            ),
            domain_area=item("domain_area", "m^2"),
        )

    return make
