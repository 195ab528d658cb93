"""What a card says about reliability: the section [reliability]."""

from __future__ import annotations

from typing import Annotated

from ferrogen.device.parameter import Allowed, Parameter, Section


class ReliabilitySpec(Section):
    """Section [reliability]: how cycles, time and voltage change a junction; all at 300 K.

    The card's remanent polarisation is that of a woken film that is not yet tired.

    Attributes:
        wake_up_share: of the remanent polarisation that a pristine film lacks [1].
        wake_up_cycles: after which a share 1/e of it is still missing [1].
        wake_up_exponent: of the stretched exponential in the number of cycles [1].
        pinching_field: size of the local bias, of either sign in half of the domains, of a pristine film [V/m].
        cycling_activation_energy: of wake-up and fatigue [eV].
        fatigue_cycles: after which half of the remanent polarisation is lost [1].
        fatigue_exponent: of the number of cycles [1].
        imprint_field: bias gained when the logarithm of the time grows by one [V/m].
        imprint_time: after which imprint begins [s].
        imprint_activation_energy: of that time [eV].
        retention_time: of the stretched exponential that describes the loss empirically [s].
        retention_exponent: of it [1].
        retention_activation_energy: of its time [eV].
        breakdown_voltage: at which the breakdown time is stated [V].
        breakdown_time: by which a share 1 - 1/e of the junctions has broken down at that constant voltage [s].
        breakdown_acceleration: by which the logarithm of that time falls per volt [1/V].
        breakdown_shape: of the Weibull distribution [1].
        breakdown_activation_energy: of the breakdown time [eV].
    """

    wake_up_share: Annotated[Parameter, Allowed("1", 0.0, 0.95)]
    wake_up_cycles: Annotated[Parameter, Allowed("1", 1e-3, 1e12)]
    wake_up_exponent: Annotated[Parameter, Allowed("1", 0.05, 5.0)]
    pinching_field: Annotated[Parameter | None, Allowed("V/m", 0.0, 1e9)] = None
    cycling_activation_energy: Annotated[Parameter, Allowed("eV", 0.0, 3.0)]
    fatigue_cycles: Annotated[Parameter, Allowed("1", 1.0, 1e18)]
    fatigue_exponent: Annotated[Parameter, Allowed("1", 0.05, 5.0)]
    imprint_field: Annotated[Parameter, Allowed("V/m", 0.0, 1e8)]
    imprint_time: Annotated[Parameter, Allowed("s", 1e-9, 1e9)]
    imprint_activation_energy: Annotated[Parameter, Allowed("eV", 0.0, 3.0)]
    retention_time: Annotated[Parameter, Allowed("s", 1e-9, 1e30)]
    retention_exponent: Annotated[Parameter, Allowed("1", 0.01, 2.0)]
    retention_activation_energy: Annotated[Parameter, Allowed("eV", 0.0, 3.0)]
    breakdown_voltage: Annotated[Parameter, Allowed("V", 0.01, 100.0)]
    breakdown_time: Annotated[Parameter, Allowed("s", 1e-9, 1e30)]
    breakdown_acceleration: Annotated[Parameter, Allowed("1/V", 0.0, 100.0)]
    breakdown_shape: Annotated[Parameter, Allowed("1", 0.1, 20.0)]
    breakdown_activation_energy: Annotated[Parameter, Allowed("eV", 0.0, 3.0)]
