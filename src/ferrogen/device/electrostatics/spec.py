"""What a card says about charges and layers around the ferroelectric: the section [interface]."""

from __future__ import annotations

from typing import Annotated

from ferrogen.device.parameter import Allowed, Parameter, Section


class InterfaceSpec(Section):
    """Section [interface]: built-in voltage, screening, and the charge that compensates the polarisation.

    Attributes:
        built_in_voltage: subtracted from the applied one [V].
        compensated_share: of the polarisation that interface charge compensates in equilibrium [1].
        compensation_time: of that charge [s]; log-uniform from site to site.
        substrate_doping: of a semiconductor electrode [1/m^3]; absent for a metal one.
    """

    built_in_voltage: Annotated[Parameter, Allowed("V", -5.0, 5.0)]
    compensated_share: Annotated[Parameter, Allowed("1", 0.0, 1.0)]
    compensation_time: Annotated[Parameter, Allowed("s", 1e-12, 1e9, (("trap", "loguniform"),))]
    substrate_doping: Annotated[Parameter | None, Allowed("1/m^3", 1e18, 1e28)] = None
