"""What a card says about variability: the section [variability]."""

from __future__ import annotations

from typing import Annotated

from ferrogen.device.parameter import Allowed, Parameter, Section


class VariabilitySpec(Section):
    """Section [variability]: what varies beside the spreads of the other sections, and what varies together.

    Correlations are those of the Gaussian copula: of the logarithms of log-normal parameters.

    Attributes:
        on_off_correlation: of on and off conductance from device to device [1].
        on_polarization_correlation: of on conductance and remanent polarisation [1].
        off_polarization_correlation: of off conductance and remanent polarisation [1].
        activation_scale: a junction's activation fields over those of the card [1].
        bias_shift: a junction's mean local bias less that of the card [V/m].
        cycle_scale: the conductance of one cycle over the junction's mean of many [1].
        cycle_correlation: of the logarithm of ``cycle_scale`` from one cycle to the next [1].
        stuck_on_share: of cells that are on and cannot be switched [1].
        stuck_off_share: of cells that are off and cannot be switched [1].
    """

    on_off_correlation: Annotated[Parameter, Allowed("1", -1.0, 1.0)]
    on_polarization_correlation: Annotated[Parameter, Allowed("1", -1.0, 1.0)]
    off_polarization_correlation: Annotated[Parameter, Allowed("1", -1.0, 1.0)]
    activation_scale: Annotated[Parameter, Allowed("1", 0.1, 10.0, (("d2d", "lognormal"),))]
    bias_shift: Annotated[Parameter, Allowed("V/m", -1e9, 1e9, (("d2d", "normal"),))]
    cycle_scale: Annotated[Parameter, Allowed("1", 0.1, 10.0, (("c2c", "lognormal"),))]
    cycle_correlation: Annotated[Parameter, Allowed("1", 0.0, 0.999)]
    stuck_on_share: Annotated[Parameter, Allowed("1", 0.0, 0.5)]
    stuck_off_share: Annotated[Parameter, Allowed("1", 0.0, 0.5)]
