from __future__ import annotations

from collections.abc import Callable

import pytest

from ferrogen.device.parameter import Parameter, Spread
from ferrogen.device.polarization.spec import SwitchingSpec


@pytest.fixture(scope="session")
def film() -> Callable[..., SwitchingSpec]:
    """A section [switching] of a 10 nm HZO film (Markov fit of the device reference), with some values changed."""

    def make(domain_area: float = 1e-16, nucleation_exponent: float = 1.0, bias_width: float = 0.0) -> SwitchingSpec:
        def item(value: float, unit: str, spread: Spread | None = None) -> Parameter:
            return Parameter(value=value, unit=unit, status="assumed", source="none", spread=spread)

        return SwitchingSpec(
            remanent_polarization=item(0.2547, "C/m^2"),
            activation_field=item(1.548e8, "V/m", Spread(kind="domain", distribution="lognormal", value=0.344)),
            attempt_time=item(3.9e-6, "s"),
            field_exponent=item(3.48, "1"),
            nucleation_exponent=item(nucleation_exponent, "1"),
            local_bias_field=item(0.0, "V/m", Spread(kind="domain", distribution="normal", value=bias_width)),
            domain_area=item(domain_area, "m^2"),
        )

    return make
