"""What a card says about the polarisation: the sections [switching] and [hysteresis]."""

from __future__ import annotations

from typing import Annotated

from ferrogen.device.parameter import Allowed, Parameter, Section


class SwitchingSpec(Section):
    """Section [switching]: nucleation-limited switching of an ensemble of two-state domains.

    A domain with activation field E_a and local bias E_b in a field E switches towards the sign of E - E_b with the
    time constant attempt_time exp[(E_a / |E - E_b|)^field_exponent], at 300 K. Equations: Alessandri 2019
    (doi:10.1109/TED.2019.2922268), Tagantsev 2002 (doi:10.1103/PhysRevB.66.214109).

    Attributes:
        remanent_polarization: half of the polarisation that all domains together can switch [C/m^2].
        activation_field: median over domains [V/m]; log-normal from domain to domain.
        attempt_time: switching time in an infinite field [s].
        field_exponent: of Merz' law [1].
        nucleation_exponent: 1 for domains without memory (Markov), 2 where nuclei grow [1].
        local_bias_field: mean over domains [V/m]; normal from domain to domain.
        domain_area: area of one independent domain [m^2]; a cell has cell_area / domain_area of them.
    """

    remanent_polarization: Annotated[Parameter, Allowed("C/m^2", 1e-4, 2.0, (("d2d", "normal"), ("d2d", "lognormal")))]
    activation_field: Annotated[Parameter, Allowed("V/m", 1e5, 1e11, (("domain", "lognormal"),))]
    attempt_time: Annotated[Parameter, Allowed("s", 1e-15, 1.0)]
    field_exponent: Annotated[Parameter, Allowed("1", 0.2, 12.0)]
    nucleation_exponent: Annotated[Parameter, Allowed("1", 0.5, 4.0)]
    local_bias_field: Annotated[Parameter, Allowed("V/m", -1e9, 1e9, (("domain", "normal"),))]
    domain_area: Annotated[Parameter, Allowed("m^2", 1e-18, 1e-10)]


class HysteresisSpec(Section):
    """Section [hysteresis]: quasi-static loop (Preisach) and its rate (Landau-Khalatnikov).

    Attributes:
        saturation_polarization: of the tanh branches [C/m^2].
        remanent_polarization: at zero field after saturation [C/m^2].
        coercive_field: half of the loop's width at zero polarisation [V/m].
        bias_field: shift of the loop along the field axis [V/m].
        relaxation_time: of the effective field that the branches see [s].
        intrinsic_coercive_field: of a homogeneous film without nucleation [V/m], for Landau-Khalatnikov; if it is not
            given, the coercive field stands for it.
        viscosity: of Landau-Khalatnikov [Ohm m].
    """

    saturation_polarization: Annotated[Parameter, Allowed("C/m^2", 1e-4, 2.0)]
    remanent_polarization: Annotated[Parameter, Allowed("C/m^2", 1e-4, 2.0)]
    coercive_field: Annotated[Parameter, Allowed("V/m", 1e5, 1e10)]
    bias_field: Annotated[Parameter, Allowed("V/m", -1e9, 1e9)]
    relaxation_time: Annotated[Parameter, Allowed("s", 1e-12, 1e3)]
    intrinsic_coercive_field: Annotated[Parameter | None, Allowed("V/m", 1e5, 1e11)] = None
    viscosity: Annotated[Parameter | None, Allowed("Ohm m", 1e-6, 1e12)] = None
