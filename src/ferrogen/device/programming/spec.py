"""What a card says about programming: the section [programming]."""

from __future__ import annotations

from typing import Annotated

from ferrogen.device.parameter import Allowed, Parameter, Section


class ProgrammingSpec(Section):
    """Section [programming]: the pulses that a junction is meant to be written with.

    Voltages are sizes; set pulses are positive at the electrode that switches the junction on, reset pulses negative.

    Attributes:
        set_voltage: amplitude of a set pulse, and last one of an amplitude-stepped train [V].
        reset_voltage: likewise of a reset pulse [V].
        first_set_voltage: first amplitude of an amplitude-stepped set train [V].
        first_reset_voltage: likewise of a reset train [V].
        pulse_width: of every pulse, except in width-stepped trains [s].
        pulse_gap: at zero volts after every pulse [s].
        last_pulse_width: of a width-stepped train, which begins at ``pulse_width`` [s].
        pulse_count: pulses of a train [1].
    """

    set_voltage: Annotated[Parameter, Allowed("V", 1e-2, 100.0)]
    reset_voltage: Annotated[Parameter, Allowed("V", 1e-2, 100.0)]
    first_set_voltage: Annotated[Parameter, Allowed("V", 1e-3, 100.0)]
    first_reset_voltage: Annotated[Parameter, Allowed("V", 1e-3, 100.0)]
    pulse_width: Annotated[Parameter, Allowed("s", 1e-12, 1.0)]
    pulse_gap: Annotated[Parameter, Allowed("s", 1e-12, 1e3)]
    last_pulse_width: Annotated[Parameter, Allowed("s", 1e-12, 1e3)]
    pulse_count: Annotated[Parameter, Allowed("1", 2.0, 1e5)]
