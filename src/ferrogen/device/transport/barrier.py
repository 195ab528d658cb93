"""The tunnel barrier: a trapezoid for the closed forms, and the bands of the whole stack for the reference integral.

Voltages are those of the top electrode against the bottom one; electron energies count from the bottom electrode's
Fermi level, so that of the top electrode is at -V. From top to bottom the conduction band rises by E_F t_F across the
ferroelectric and by E_D t_D across the interlayer:

    U(top) = -V + phi_top + band bending of the top electrode,      U(bottom) = phi_bottom + that of the bottom one.

Both hold when the built-in voltage of the electrostatics is phi_top - phi_bottom, the difference of the work functions.
The barriers are the better known of the two, so tunnelling takes it from them (:func:`band_profile`); a card's
``built_in_voltage`` that differs stands for fixed charge, which shifts the loop and is left out here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.constants import VACUUM_PERMITTIVITY
from ferrogen.core.errors import CardError, ValidityError, check_number
from ferrogen.device.electrostatics.stack import (
    Stack,
    displacements,
    ferroelectric_field,
    interlayer_field,
    screening_shifts,
)
from ferrogen.device.transport.spec import TransportSpec


@dataclass(frozen=True, slots=True)
class Barrier:
    """A trapezoidal barrier at zero bias.

    Attributes:
        top_height: above the top electrode's Fermi level [eV].
        bottom_height: above the bottom electrode's Fermi level [eV].
        thickness: [m].
        mass: of the tunnelling electron, in electron masses [1].
    """

    top_height: float
    bottom_height: float
    thickness: float
    mass: float

    def __post_init__(self) -> None:
        check_number("top_height", self.top_height, "eV")
        check_number("bottom_height", self.bottom_height, "eV")
        check_number("thickness", self.thickness, "m")
        check_number("mass", self.mass, "electron masses")

    @property
    def mean_height(self) -> float:
        """Mean of both heights [eV]."""
        return 0.5 * (self.top_height + self.bottom_height)


@dataclass(frozen=True, slots=True)
class Bands:
    """What tunnelling needs to know of the layers beyond electrostatics.

    Attributes:
        top_height: top electrode to the ferroelectric's conduction band [eV].
        bottom_height: bottom electrode to the ferroelectric's conduction band [eV], as if they touched.
        mass: in ferroelectric and dead layer, in electron masses [1].
        interlayer_height: bottom electrode to the interlayer's conduction band [eV].
        interlayer_mass: in electron masses [1].
    """

    top_height: float
    bottom_height: float
    mass: float
    interlayer_height: float
    interlayer_mass: float

    def __post_init__(self) -> None:
        for name in ("top_height", "bottom_height", "interlayer_height"):
            check_number(name, getattr(self, name), "eV")
        for name in ("mass", "interlayer_mass"):
            check_number(name, getattr(self, name), "electron masses")


@dataclass(frozen=True, slots=True)
class BandProfile:
    """Conduction band through the stack, layer by layer from top to bottom; straight within a layer.

    Attributes:
        thickness: of each layer [m], shape ``(layers,)``.
        mass: in each layer, in electron masses, shape ``(layers,)``.
        upper: band edge at the top of each layer above the bottom electrode's Fermi level [eV], ``(..., layers)``.
        lower: at its bottom [eV], same shape.
        ferroelectric: which layer is the ferroelectric.
    """

    thickness: NDArray[np.float64]
    mass: NDArray[np.float64]
    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    ferroelectric: int


def bands_of(transport: TransportSpec, interlayer_thickness: float) -> Bands:
    """Return the bands that a section [transport] describes.

    Raises:
        CardError: there is an interlayer, but no ``interlayer_barrier_height`` or ``interlayer_mass``.
    """
    height, mass = transport.interlayer_barrier_height, transport.interlayer_mass
    if interlayer_thickness > 0.0 and (height is None or mass is None):
        raise CardError(
            "The section [transport] lacks `interlayer_barrier_height` or `interlayer_mass`, but the stack has an"
            " interlayer. Add both."
        )
    return Bands(
        top_height=transport.top_barrier_height.value,
        bottom_height=transport.bottom_barrier_height.value,
        mass=transport.tunnelling_mass.value,
        interlayer_height=transport.bottom_barrier_height.value if height is None else height.value,
        interlayer_mass=transport.tunnelling_mass.value if mass is None else mass.value,
    )


def polarized_barrier(stack: Stack, bands: Bands, polarization: float, interface_charge: float = 0.0) -> Barrier:
    """Return the trapezoid that a stack of a single layer becomes under its polarisation (Zhuravlev 2005).

    The electrodes' screening raises one side and lowers the other by e sigma_s delta / (eps0 eps) at zero bias,
    doi:10.1103/PhysRevLett.94.246802. What the applied voltage loses in the electrodes is neglected here, as in that
    theory; :func:`band_profile` has it.

    Raises:
        ValidityError: the stack has further layers, or a barrier falls to nothing: it is no trapezoid then.
    """
    if stack.interlayer_thickness > 0.0 or stack.dead_layer_thickness > 0.0:
        raise ValidityError(
            "A stack with an interlayer or a dead layer is no trapezoid. Use `band_profile` and the integral of `wkb`."
        )
    shorted = replace(stack, built_in_voltage=bands.top_height - bands.bottom_height)
    top, bottom = screening_shifts(shorted, 0.0, polarization, interface_charge)
    heights = bands.top_height + float(top), bands.bottom_height + float(bottom)
    if min(heights) <= 0.0:
        raise ValidityError(
            f"The polarisation of {polarization:g} C/m^2 leaves no barrier: {heights[0]:.3g} eV at the top and"
            f" {heights[1]:.3g} eV at the bottom electrode. Lower the screening lengths, or compensate more of it."
        )
    return Barrier(*heights, thickness=stack.ferroelectric_thickness, mass=bands.mass)


def trapezoid_profile(barrier: Barrier, voltage: ArrayLike) -> BandProfile:
    """Return the bands of a trapezoid at voltages [V] of shape ``(...)``."""
    v = np.asarray(voltage, dtype=np.float64)[..., None]
    return BandProfile(
        thickness=np.array([barrier.thickness]),
        mass=np.array([barrier.mass]),
        upper=barrier.top_height - v,
        lower=np.full_like(v, barrier.bottom_height),
        ferroelectric=0,
    )


def band_profile(
    stack: Stack, bands: Bands, voltage: ArrayLike, polarization: ArrayLike, interface_charge: ArrayLike = 0.0
) -> BandProfile:
    """Return the bands of the whole stack, layers without thickness left out.

    The dead layer has the band edge and the mass of the ferroelectric. All arguments broadcast to the shape ``(...)``
    of the profile. The electrodes' band bending is part of the barriers; it is not itself tunnelled through.
    """
    v, p, sigma = np.broadcast_arrays(
        *(np.asarray(item, dtype=np.float64) for item in (voltage, polarization, interface_charge))
    )
    stack = replace(stack, built_in_voltage=bands.top_height - bands.bottom_height)
    upper, _ = displacements(stack, v, p, sigma)
    field = ferroelectric_field(stack, v, p, sigma)
    # What the dead layer drops, from D_top over its permittivity: eps0 eps_F E_F + P is exactly that displacement.
    dead = upper * stack.dead_layer_thickness / (VACUUM_PERMITTIVITY * stack.dead_layer_permittivity)
    top_shift, _ = screening_shifts(stack, v, p, sigma)
    edge = bands.top_height - v + top_shift
    layers: list[tuple[float, float, NDArray[np.float64], NDArray[np.float64]]] = []
    position = 0
    if stack.dead_layer_thickness > 0.0:
        layers.append((stack.dead_layer_thickness, bands.mass, edge, edge + dead))
        edge, position = edge + dead, 1
    below = edge + field * stack.ferroelectric_thickness
    layers.append((stack.ferroelectric_thickness, bands.mass, edge, below))
    if stack.interlayer_thickness > 0.0:
        edge = below + (bands.interlayer_height - bands.bottom_height)
        drop = interlayer_field(stack, v, p, sigma) * stack.interlayer_thickness
        layers.append((stack.interlayer_thickness, bands.interlayer_mass, edge, edge + drop))
    return BandProfile(
        thickness=np.array([layer[0] for layer in layers]),
        mass=np.array([layer[1] for layer in layers]),
        upper=np.stack([layer[2] for layer in layers], axis=-1),
        lower=np.stack([layer[3] for layer in layers], axis=-1),
        ferroelectric=position,
    )
