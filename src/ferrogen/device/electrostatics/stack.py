"""The layers of a junction and the field in each of them.

From top to bottom: electrode, dead layer, ferroelectric, interlayer, electrode. Voltages are those of the top electrode
against the bottom one; fields and polarisations count positive when they point down. The displacement D is the same
throughout but for the interface charge sigma between ferroelectric and interlayer (Gauss):

    D_top = eps0 eps_F E_F + P,     D_bottom = D_top + sigma,
    V - V_bi = E_F t_F + D_top c_top / eps0 + D_bottom c_bottom / eps0,

with c = sum of t / eps of all other layers on that side, an electrode's screening length among them (perfect metals:
0). With c_top = 0 and c_bottom = t_D / eps_D that is the textbook bilayer,

    E_F = [V - V_bi - (P + sigma) t_D / (eps0 eps_D)] / [t_F + t_D eps_F / eps_D].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.arrays import finite_array
from ferrogen.core.constants import VACUUM_PERMITTIVITY
from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.card import DeviceCard

_LEAST_PERMITTIVITY = 1.0


@dataclass(frozen=True, slots=True)
class Stack:
    """The layers of a junction, from top to bottom.

    Attributes:
        ferroelectric_thickness: [m].
        ferroelectric_permittivity: background, without the switchable polarisation [1].
        interlayer_thickness: between ferroelectric and bottom electrode [m]; 0 for none.
        interlayer_permittivity: [1].
        dead_layer_thickness: between top electrode and ferroelectric [m]; 0 for none.
        dead_layer_permittivity: [1].
        top_screening_length: Thomas-Fermi length of the top electrode over its background permittivity [m].
        bottom_screening_length: likewise of the bottom electrode [m].
        built_in_voltage: subtracted from the applied one [V].
    """

    ferroelectric_thickness: float
    ferroelectric_permittivity: float
    interlayer_thickness: float = 0.0
    interlayer_permittivity: float = 1.0
    dead_layer_thickness: float = 0.0
    dead_layer_permittivity: float = 1.0
    top_screening_length: float = 0.0
    bottom_screening_length: float = 0.0
    built_in_voltage: float = 0.0

    def __post_init__(self) -> None:
        check_number("ferroelectric_thickness", self.ferroelectric_thickness, "m")
        for name in (
            "interlayer_thickness",
            "dead_layer_thickness",
            "top_screening_length",
            "bottom_screening_length",
        ):
            check_number(name, getattr(self, name), "m", may_vanish=True)
        for name in ("ferroelectric_permittivity", "interlayer_permittivity", "dead_layer_permittivity"):
            check_number(name, getattr(self, name), "vacuum permittivities")
            if getattr(self, name) < _LEAST_PERMITTIVITY:
                raise argument_error(name, "be a relative permittivity, at least 1", f"{getattr(self, name):g}")
        if not np.isfinite(self.built_in_voltage):
            raise argument_error("built_in_voltage", "be a finite number in V", self.built_in_voltage)

    @property
    def top_reduced_thickness(self) -> float:
        """Sum of t / eps above the ferroelectric [m]: dead layer and the electrode's screening."""
        return self.dead_layer_thickness / self.dead_layer_permittivity + self.top_screening_length

    @property
    def bottom_reduced_thickness(self) -> float:
        """Sum of t / eps below the ferroelectric [m]: interlayer and the electrode's screening."""
        return self.interlayer_thickness / self.interlayer_permittivity + self.bottom_screening_length

    @property
    def equivalent_thickness(self) -> float:
        """Thickness of the whole stack in metres of ferroelectric: t_F + eps_F (c_top + c_bottom)."""
        reduced = self.top_reduced_thickness + self.bottom_reduced_thickness
        return self.ferroelectric_thickness + self.ferroelectric_permittivity * reduced


def stack_of(card: DeviceCard) -> Stack:
    """Return the layers that a card describes.

    A card without a section [interface] has no built-in voltage, no dead layer and perfect metals; the charge at its
    interface is then not known either: :func:`.interface_charge.interface_charge_of` refuses the card, and here the
    interface charge is whatever the caller says (0 means that nothing compensates the polarisation).

    A silicon electrode (``substrate_doping``) bends its bands: :func:`.semiconductor.solve_surface_potential`. Here it
    is a metal, a perfect one unless the card also gives its ``bottom_screening_length``.
    """
    interface = card.interface

    def value(name: str, absent: float) -> float:
        item = getattr(interface, name, None)
        return absent if item is None else float(item.value)

    return Stack(
        ferroelectric_thickness=card.ferroelectric_thickness.value,
        ferroelectric_permittivity=card.ferroelectric_permittivity.value,
        interlayer_thickness=card.interlayer_thickness.value,
        interlayer_permittivity=card.interlayer_permittivity.value,
        dead_layer_thickness=value("dead_layer_thickness", 0.0),
        dead_layer_permittivity=value("dead_layer_permittivity", card.ferroelectric_permittivity.value),
        top_screening_length=value("top_screening_length", 0.0),
        bottom_screening_length=value("bottom_screening_length", 0.0),
        built_in_voltage=value("built_in_voltage", 0.0),
    )


def ferroelectric_field(
    stack: Stack, voltage: ArrayLike, polarization: ArrayLike, interface_charge: ArrayLike = 0.0
) -> NDArray[np.float64]:
    """Return the field in the ferroelectric [V/m].

    Args:
        stack: the layers.
        voltage: top against bottom electrode [V].
        polarization: switchable part, positive downwards [C/m^2].
        interface_charge: between ferroelectric and interlayer [C/m^2]; negative where it compensates a positive
            polarisation.

    Returns:
        The field, positive downwards; all arguments broadcast.

    Raises:
        ArgumentError: an argument is not finite.
    """
    v, p, sigma = _inputs(voltage, polarization, interface_charge)
    top, bottom = stack.top_reduced_thickness, stack.bottom_reduced_thickness
    dropped = (p * (top + bottom) + sigma * bottom) / VACUUM_PERMITTIVITY
    return np.asarray((v - stack.built_in_voltage - dropped) / stack.equivalent_thickness)


def displacements(
    stack: Stack, voltage: ArrayLike, polarization: ArrayLike, interface_charge: ArrayLike = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the displacement [C/m^2] above and below the interface between ferroelectric and interlayer.

    The first is the charge on the top electrode, the second that on the bottom electrode with the opposite sign.
    Arguments and errors as in :func:`ferroelectric_field`.
    """
    v, p, sigma = _inputs(voltage, polarization, interface_charge)
    top, bottom = stack.top_reduced_thickness, stack.bottom_reduced_thickness
    # eps0 eps_F E_F + P with E_F put in; written so that P does not cancel when the other layers are thin.
    permittivity = stack.ferroelectric_permittivity
    bare = VACUUM_PERMITTIVITY * permittivity * (v - stack.built_in_voltage) + p * stack.ferroelectric_thickness
    upper = (bare - sigma * permittivity * bottom) / stack.equivalent_thickness
    lower = (bare + sigma * (stack.ferroelectric_thickness + permittivity * top)) / stack.equivalent_thickness
    return np.asarray(upper), np.asarray(lower)


def interlayer_field(
    stack: Stack, voltage: ArrayLike, polarization: ArrayLike, interface_charge: ArrayLike = 0.0
) -> NDArray[np.float64]:
    """Return the field in the interlayer [V/m], positive downwards; for a stack without one, the limit of a thin one.

    Arguments and errors as in :func:`ferroelectric_field`.
    """
    _, lower = displacements(stack, voltage, polarization, interface_charge)
    return lower / (VACUUM_PERMITTIVITY * stack.interlayer_permittivity)


def depolarization_field(
    stack: Stack, polarization: ArrayLike, interface_charge: ArrayLike = 0.0
) -> NDArray[np.float64]:
    """Return the field in the ferroelectric [V/m] that the polarisation alone makes: shorted, no built-in voltage.

    It opposes the polarisation: -(P + sigma) t_D / [eps0 (eps_D t_F + eps_F t_D)] in the bilayer.
    Arguments and errors as in :func:`ferroelectric_field`.
    """
    return ferroelectric_field(stack, stack.built_in_voltage, polarization, interface_charge)


def ferroelectric_share(stack: Stack) -> float:
    """Return the share of a change of voltage that drops across the ferroelectric [1]."""
    return stack.ferroelectric_thickness / stack.equivalent_thickness


def screening_charge(stack: Stack, polarization: ArrayLike) -> NDArray[np.float64]:
    """Return the charge on the shorted top electrode [C/m^2] without interface charge.

    P d / [d + eps_F (sum of t / eps)], Zhuravlev 2005 (doi:10.1103/PhysRevLett.94.246802).
    """
    return displacements(stack, stack.built_in_voltage, polarization)[0]


def screening_shifts(
    stack: Stack, voltage: ArrayLike, polarization: ArrayLike, interface_charge: ArrayLike = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by how much the electrodes' own band bending raises the top and the bottom barrier [eV].

    A field that enters the bottom electrode costs D delta / eps there; the band edge next to it moves by that energy
    against the electrode's Fermi level. A polarisation that points down raises the top barrier and lowers the bottom
    one. At ``voltage`` = built-in voltage these are the -+ e sigma_s delta / (eps0 eps) of Zhuravlev 2005
    (doi:10.1103/PhysRevLett.94.246802). Arguments and errors as in :func:`ferroelectric_field`.
    """
    upper, lower = displacements(stack, voltage, polarization, interface_charge)
    top = upper * (stack.top_screening_length / VACUUM_PERMITTIVITY)
    bottom = -lower * (stack.bottom_screening_length / VACUUM_PERMITTIVITY)
    return np.asarray(top), np.asarray(bottom)


def _inputs(*values: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    names, units = ("voltage", "polarization", "interface_charge"), ("V", "C/m^2", "C/m^2")
    return tuple(finite_array(name, value, unit) for name, value, unit in zip(names, values, units, strict=True))
