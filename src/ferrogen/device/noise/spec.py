"""What a card says about noise: the section [noise]."""

from __future__ import annotations

from typing import Annotated

from ferrogen.device.parameter import Allowed, Parameter, Section


class NoiseSpec(Section):
    """Section [noise]: what the traps' base parameters do not say, and the noise of the current itself.

    Sources: Kirton and Uren 1989 (doi:10.1080/00018738900101122) for capture, Grasser 2012
    (doi:10.1016/j.microrel.2011.09.002) for curvature and metastable states.

    Attributes:
        fano_factor: shot noise over that of independent electrons [1]; 1 for direct tunnelling, below 1 for hopping
            through traps.
        capture_cross_section: of a trap at the electrode, before the thermal barrier [m^2].
        attenuation_length: over which capture falls by e with the trap's depth [m].
        capture_barrier: thermal barrier of the cross-section [eV].
        carrier_density: of the electrode the trap exchanges with, at 300 K [1/m^3].
        carrier_density_exponent: of that density's power law in temperature [1]: 0 for a metal or a degenerate
            semiconductor, 1.5 for a band edge's density of states.
        curvature_ratio: R of the multiphonon transition, frequency before over after capture [1].
        anomalous_trap_share: share of the traps that have a metastable state besides the two [1].
        metastable_time_ratio: mean stay in that state over the trap's time constant [1].
        metastable_weight: probability of that state over that of the stable occupied one [1].
        blocked_area: area whose direct tunnelling current one trapped electron suppresses [m^2].
        path_area: area of cell a percolation path [m^2]; a cell conducts in cell_area / path_area of them.
    """

    fano_factor: Annotated[Parameter, Allowed("1", 0.0, 100.0)]
    capture_cross_section: Annotated[Parameter, Allowed("m^2", 1e-32, 1e-14)]
    attenuation_length: Annotated[Parameter, Allowed("m", 1e-12, 1e-8)]
    capture_barrier: Annotated[Parameter, Allowed("eV", 0.0, 3.0)]
    carrier_density: Annotated[Parameter, Allowed("1/m^3", 1e18, 1e30)]
    carrier_density_exponent: Annotated[Parameter | None, Allowed("1", 0.0, 3.0)] = None
    curvature_ratio: Annotated[Parameter | None, Allowed("1", 0.1, 10.0)] = None
    anomalous_trap_share: Annotated[Parameter, Allowed("1", 0.0, 1.0)]
    metastable_time_ratio: Annotated[Parameter, Allowed("1", 1e-6, 1e9)]
    metastable_weight: Annotated[Parameter, Allowed("1", 1e-9, 1e9)]
    blocked_area: Annotated[Parameter | None, Allowed("m^2", 1e-22, 1e-14)] = None
    path_area: Annotated[Parameter | None, Allowed("m^2", 1e-20, 1e-10)] = None
