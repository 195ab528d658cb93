"""What a card says about the currents through the stack: the section [transport]."""

from __future__ import annotations

from typing import Annotated

from ferrogen.device.parameter import Allowed, Parameter, Section


class TransportSpec(Section):
    """Section [transport]: barriers and masses for tunnelling, traps and activation for leakage.

    Attributes:
        top_barrier_height: top electrode to the ferroelectric's conduction band [eV].
        bottom_barrier_height: bottom electrode to the ferroelectric's conduction band [eV], as if they touched.
        tunnelling_mass: in the ferroelectric, in electron masses [1].
        interlayer_barrier_height: bottom electrode to the interlayer's conduction band [eV].
        interlayer_mass: in the interlayer, in electron masses [1].
        read_polarization: size of the polarisation of a fully switched cell at read [C/m^2].
        interface_compensation: share of that polarisation that interface charge compensates at read [1].
        optical_permittivity: of the ferroelectric, for image forces [1].
        richardson_mass: of the Richardson constant, in electron masses [1].
        tunnelling_trap_density: of the traps that assist tunnelling [1/m^3].
        tunnelling_trap_energy: of these traps below the conduction band [eV]; uniform from trap to trap.
        tunnelling_trap_relaxation_energy: of the lattice around one [eV].
        tunnelling_trap_attempt_rate: of capture and emission through no barrier at all [1/s].
        leakage_conductance: activated leakage at small voltages, 300 K and no polarisation, per area [S/m^2].
        leakage_voltage: on which it grows exponentially [V].
        leakage_activation_energy: [eV].
        leakage_polarization_ratio: leakage with the polarisation down over that with it up [1]; 1 if absent. It stands
            for what the polarisation does to the barriers of hops, for which there is no formula here.
    """

    top_barrier_height: Annotated[Parameter, Allowed("eV", 0.1, 6.0)]
    bottom_barrier_height: Annotated[Parameter, Allowed("eV", 0.1, 6.0)]
    tunnelling_mass: Annotated[Parameter, Allowed("1", 0.01, 5.0)]
    interlayer_barrier_height: Annotated[Parameter | None, Allowed("eV", 0.1, 10.0)] = None
    interlayer_mass: Annotated[Parameter | None, Allowed("1", 0.01, 5.0)] = None
    read_polarization: Annotated[Parameter | None, Allowed("C/m^2", 1e-4, 2.0)] = None
    interface_compensation: Annotated[Parameter | None, Allowed("1", 0.0, 1.0)] = None
    optical_permittivity: Annotated[Parameter | None, Allowed("1", 1.0, 100.0)] = None
    richardson_mass: Annotated[Parameter | None, Allowed("1", 0.001, 10.0)] = None
    tunnelling_trap_density: Annotated[Parameter | None, Allowed("1/m^3", 1e18, 1e29)] = None
    tunnelling_trap_energy: Annotated[Parameter | None, Allowed("eV", 0.1, 5.0, (("trap", "uniform"),))] = None
    tunnelling_trap_relaxation_energy: Annotated[Parameter | None, Allowed("eV", 0.1, 5.0)] = None
    tunnelling_trap_attempt_rate: Annotated[Parameter | None, Allowed("1/s", 1.0, 1e18)] = None
    leakage_conductance: Annotated[Parameter | None, Allowed("S/m^2", 1e-15, 1e12)] = None
    leakage_voltage: Annotated[Parameter | None, Allowed("V", 0.02, 10.0)] = None
    leakage_activation_energy: Annotated[Parameter | None, Allowed("eV", 0.0, 3.0)] = None
    leakage_polarization_ratio: Annotated[Parameter | None, Allowed("1", 1e-4, 1e4)] = None
