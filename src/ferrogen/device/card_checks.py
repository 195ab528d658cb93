"""What a device card must satisfy: units, ranges, spreads that the code draws, parameters that fit each other.

Every refusal is a ``ValueError`` with one sentence; :func:`ferrogen.device.card.load_card` adds the card's name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ferrogen.core.units import format_quantity
from ferrogen.device.parameter import Distribution, Parameter, SpreadKind

if TYPE_CHECKING:
    from ferrogen.device.card import DeviceCard

# The unit each parameter of a card must be given in, where it is not a pure number.
_OWN_UNITS = {
    "cell_area": "m^2",
    "ferroelectric_thickness": "m",
    "interlayer_thickness": "m",
    "on_conductance": "S",
    "off_conductance": "S",
    "characteristic_voltage": "V",
    "trap_time_constant": "s",
    "trap_level": "eV",
    "trap_depth": "m",
    "trap_relaxation_energy": "eV",
}

# What each parameter may be, in its unit: wide enough for any junction, narrow enough to catch a slipped exponent.
_RANGES = {
    "cell_area": (1e-17, 1e-10),
    "ferroelectric_thickness": (1e-10, 1e-6),
    "ferroelectric_permittivity": (1.0, 1e4),
    "interlayer_thickness": (0.0, 1e-6),
    "interlayer_permittivity": (1.0, 1e4),
    "on_conductance": (1e-15, 1e-2),
    "off_conductance": (1e-15, 1e-2),
    "characteristic_voltage": (0.02, 10.0),
    "traps_per_cell": (0.0, 2e5),
    "trap_time_constant": (1e-12, 1e15),
    "trap_level": (-5.0, 5.0),
    "trap_depth": (1e-12, 1e-6),
    "trap_relaxation_energy": (0.1, 5.0),
    "trap_amplitude": (0.0, 0.9),
    "trap_amplitude_limit": (1e-9, 0.9),
    "off_state_amplitude_factor": (0.1, 100.0),
    "switching_noise": (0.0, 0.5),
    "programmable_levels": (2.0, 65536.0),
}
# The ranges of validity may lie in these: beyond them the formulas overflow, or mean nothing.
_VALIDITY_RANGES = {
    "read_voltage": (0.0, 10.0, "V"),
    "temperature": (77.0, 1000.0, "K"),
    "read_time": (1e-12, 1e6, "s"),
}

# The spreads that the code draws; every other one would be ignored in silence.
_SPREADS: Mapping[str, tuple[tuple[SpreadKind, Distribution], ...]] = {
    "on_conductance": (("d2d", "lognormal"),),
    "off_conductance": (("d2d", "lognormal"),),
    "traps_per_cell": (("d2d", "poisson"),),
    "trap_time_constant": (("trap", "loguniform"),),
    "trap_level": (("trap", "uniform"), ("trap", "normal")),
    "trap_depth": (("trap", "normal"), ("trap", "uniform")),
    "trap_relaxation_energy": (("trap", "uniform"), ("trap", "normal")),
    "trap_amplitude": (("trap", "lognormal"),),
    "switching_noise": (("c2c", "normal"),),
}
_WINDOW_SIGMAS = 3.0
_REFERENCE_AREA = 1e-14  # m^2, to which the number of traps refers
_MOST_TRAPS = 200.0  # a cell: what memory allows


def check_card(card: DeviceCard) -> None:
    """Refuse a card that cannot be right.

    Raises:
        ValueError: one sentence that names the parameter, its value and what it must be.
    """
    for name, item in card.parameters.items():
        _check_parameter(name, item)
    _check_junction(card)
    _check_traps(card)
    _check_validity(card)


def _check_junction(card: DeviceCard) -> None:
    on, off = card.on_conductance, card.off_conductance
    if not on.value > off.value:
        raise ValueError(f"`on_conductance` must exceed `off_conductance`, but they are {_of(on)} and {_of(off)}")
    widths = [(item.spread.value or 0.0) if item.spread else 0.0 for item in (on, off)]
    if on.value <= off.value * math.exp(_WINDOW_SIGMAS * sum(widths)):
        raise ValueError(
            f"`on_conductance` and `off_conductance` ({_of(on)} and {_of(off)}) leave no window at"
            f" {_WINDOW_SIGMAS:g} standard deviations of their spreads ({widths[0]:g} and {widths[1]:g});"
            " a larger ratio or a smaller spread would"
        )
    levels = card.programmable_levels.value
    if levels != round(levels):
        raise ValueError(f"`programmable_levels` must be a whole number, but it is {levels:g}")
    noise = card.switching_noise
    if noise.spread is not None and noise.spread.value != noise.value:
        raise ValueError(
            f"`switching_noise` and the value of its spread must be the same number, but they are {noise.value:g}"
            f" and {noise.spread.value:g}"
        )


def _check_traps(card: DeviceCard) -> None:
    depth, film = card.trap_depth, card.ferroelectric_thickness
    if max(depth.value, depth.spread.value or 0.0 if depth.spread else 0.0) > film.value:
        raise ValueError(
            "`trap_depth` and its spread must not exceed `ferroelectric_thickness`, but the depth is"
            f" {_of(depth)}, {depth.spread or 'no spread'}, and the thickness {_of(film)}"
        )
    number = card.traps_per_cell.value * card.cell_area.value / _REFERENCE_AREA
    if number > _MOST_TRAPS:
        raise ValueError(
            f"`traps_per_cell` counts {_REFERENCE_AREA:g} m^2; in a `cell_area` of {_of(card.cell_area)} that makes"
            f" {number:g} traps, more than the {_MOST_TRAPS:g} a cell may have"
        )
    amplitude, limit = card.trap_amplitude, card.trap_amplitude_limit
    if amplitude.value > limit.value:
        raise ValueError(
            f"`trap_amplitude` must not exceed `trap_amplitude_limit`, but they are {amplitude.value:g} and"
            f" {limit.value:g}"
        )
    time = card.trap_time_constant
    if time.spread is not None and time.spread.low is not None and time.spread.high is not None:
        low, high = _RANGES["trap_time_constant"]
        if not low <= time.spread.low <= time.value <= time.spread.high <= high:
            raise ValueError(
                f"`trap_time_constant` must lie within its spread, and that within {low:g} s and {high:g} s, but it"
                f" is {_of(time)} in a spread from {time.spread.low:g} s to {time.spread.high:g} s"
            )
    _check_energies(card)


def _check_energies(card: DeviceCard) -> None:
    """Hold the traps' energies to where the multiphonon formula holds: |E_T - q V x| below the relaxation."""
    relaxation, level = card.trap_relaxation_energy, card.trap_level
    least, most = relaxation.value - relaxation.reach, relaxation.value + relaxation.reach
    low, high = _RANGES["trap_relaxation_energy"]
    if not low <= least <= most <= high:
        raise ValueError(
            f"`trap_relaxation_energy` must lie between {low:g} eV and {high:g} eV with all of its spread, but it"
            f" goes from {least:g} eV to {most:g} eV"
        )
    if not abs(level.value) + level.reach < least:
        raise ValueError(
            f"`trap_level` with all of its spread must be smaller than `trap_relaxation_energy`, where the rates'"
            f" formula holds, but it reaches {abs(level.value) + level.reach:g} eV, and the relaxation energy goes"
            f" down to {least:g} eV"
        )
    film, voltage = card.ferroelectric_thickness.value, card.validity.read_voltage[1]
    layer = card.interlayer_thickness.value * card.ferroelectric_permittivity.value
    stack = film + layer / card.interlayer_permittivity.value
    pulled = level.value - level.reach - voltage * min(card.trap_depth.value + card.trap_depth.reach, film) / stack
    if not -pulled < least:
        raise ValueError(
            f"`validity.read_voltage` must end where the rates' formula does, but {voltage:g} V pull a trap's level"
            f" to {pulled:g} eV, more than `trap_relaxation_energy` ({least:g} eV) below the Fermi level"
        )


def _check_validity(card: DeviceCard) -> None:
    for quantity, (least, most, unit) in _VALIDITY_RANGES.items():
        own = {
            f"{name}.valid": item.valid[quantity] for name, item in card.parameters.items() if quantity in item.valid
        }
        for name, (low, high) in {"validity": getattr(card.validity, quantity), **own}.items():
            if not least <= low < high <= most:
                raise ValueError(
                    f"`{name}.{quantity}` must rise and lie within {least:g} {unit} and {most:g} {unit},"
                    f" but it is [{low:g}, {high:g}]"
                )
        low, high = card.range_of(quantity)
        if not low < high:
            raise ValueError(f"`{'` and `'.join(own)}` leave nothing of `validity.{quantity}`")
    for name, quantity in (
        ("default_sample_voltage", "read_voltage"),
        ("default_multiply_voltage", "read_voltage"),
        ("default_sampling_time", "read_time"),
    ):
        (low, high), unit = card.range_of(quantity), _VALIDITY_RANGES[quantity][2]
        if not low <= getattr(card, name) <= high:
            raise ValueError(
                f"`{name}` must lie between {low:g} {unit} and {high:g} {unit}, where the card holds"
                f" (`validity.{quantity}`), but it is {getattr(card, name):g} {unit}"
            )
    if not 0.0 < card.default_multiply_voltage < card.default_sample_voltage:
        raise ValueError(
            "`default_multiply_voltage` must be positive and below `default_sample_voltage`, but they are"
            f" {card.default_multiply_voltage:g} V and {card.default_sample_voltage:g} V"
        )


def _check_parameter(name: str, item: Parameter) -> None:
    unit = _OWN_UNITS.get(name, "1")
    if item.unit != unit:
        raise ValueError(f"`{name}` must be in {unit}, not {item.unit}")
    low, high = _RANGES[name]
    if item.value < 0.0 <= low or item.value == 0.0 < low:
        raise ValueError(f"`{name}` must {'be positive' if low else 'not be negative'}, but it is {_of(item)}")
    if not low <= item.value <= high:
        raise ValueError(
            f"`{name}` must lie between {f'{low:g} {unit}'.removesuffix(' 1')} and"
            f" {f'{high:g} {unit}'.removesuffix(' 1')}, but it is {_of(item)}"
        )
    allowed = _SPREADS.get(name, ())
    choice = " or ".join(_spread_text(*pair) for pair in allowed)
    if item.spread is None:
        if name == "traps_per_cell":  # always drawn so: a card that does not say it would mislead
            raise ValueError(f"`{name}.spread` is missing; it must be {choice}")
    elif not allowed:
        raise ValueError(f"`{name}` has the spread {item.spread}, but must have none: it is the same in all cells")
    elif (item.spread.kind, item.spread.distribution) not in allowed:
        raise ValueError(f"`{name}` has the spread {item.spread}, but it must be {choice}")
    unknown = sorted(set(item.valid) - set(_VALIDITY_RANGES))
    if unknown:
        raise ValueError(f"`{name}.valid` has no '{unknown[0]}'; it may have {', '.join(_VALIDITY_RANGES)}")


def _of(item: Parameter) -> str:
    return format_quantity(item.value, item.unit)


def _spread_text(kind: str, distribution: str) -> str:
    return f"'{kind} {distribution}'"
