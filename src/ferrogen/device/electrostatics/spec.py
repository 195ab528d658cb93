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
        top_screening_length: effective one of the top electrode, Thomas-Fermi length over the electrode's background
            permittivity [m]; absent for a perfect metal.
        bottom_screening_length: likewise of the bottom electrode [m].
        dead_layer_thickness: of a non-ferroelectric layer between top electrode and ferroelectric [m].
        dead_layer_permittivity: of that layer [1].
        substrate_doping: of a silicon bottom electrode: donors minus acceptors [1/m^3], negative for p-type; absent
            for a metal.
    """

    built_in_voltage: Annotated[Parameter, Allowed("V", -5.0, 5.0)]
    compensated_share: Annotated[Parameter, Allowed("1", 0.0, 1.0)]
    compensation_time: Annotated[Parameter, Allowed("s", 1e-12, 1e9, (("trap", "loguniform"),))]
    top_screening_length: Annotated[Parameter | None, Allowed("m", 0.0, 1e-8)] = None
    bottom_screening_length: Annotated[Parameter | None, Allowed("m", 0.0, 1e-8)] = None
    dead_layer_thickness: Annotated[Parameter | None, Allowed("m", 0.0, 1e-7)] = None
    dead_layer_permittivity: Annotated[Parameter | None, Allowed("1", 1.0, 1e4)] = None
    substrate_doping: Annotated[Parameter | None, Allowed("1/m^3", -1e28, 1e28)] = None
