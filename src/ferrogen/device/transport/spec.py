"""What a card says about the currents through the stack: the section [transport]."""

from __future__ import annotations

from typing import Annotated

from ferrogen.device.parameter import Allowed, Parameter, Section


class TransportSpec(Section):
    """Section [transport]: barriers and masses for tunnelling, traps and activation for leakage.

    Attributes:
        top_barrier_height: top electrode to the ferroelectric's conduction band [eV].
        bottom_barrier_height: bottom electrode, likewise [eV].
        tunnelling_mass: in the ferroelectric, in electron masses [1].
        interlayer_barrier_height: electrode to the interlayer's conduction band [eV].
        interlayer_mass: in the interlayer, in electron masses [1].
    """

    top_barrier_height: Annotated[Parameter, Allowed("eV", 0.1, 6.0)]
    bottom_barrier_height: Annotated[Parameter, Allowed("eV", 0.1, 6.0)]
    tunnelling_mass: Annotated[Parameter, Allowed("1", 0.01, 5.0)]
    interlayer_barrier_height: Annotated[Parameter | None, Allowed("eV", 0.1, 10.0)] = None
    interlayer_mass: Annotated[Parameter | None, Allowed("1", 0.01, 5.0)] = None
