"""What a device card must satisfy as a whole: parameters that fit each other (each alone: :mod:`.parameter`).

Every refusal is a ``ValueError`` with one sentence; :func:`ferrogen.device.card.load_card` adds the card's name.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ferrogen.core.units import format_quantity
from ferrogen.device.parameter import VALIDITY_RANGES, Parameter, allowed_for

if TYPE_CHECKING:
    from ferrogen.device.card import DeviceCard

_WINDOW_SIGMAS = 3.0
_REFERENCE_AREA = 1e-14  # m^2, to which the number of traps refers
_MOST_TRAPS = 200.0  # a cell: what memory allows


def check_card(card: DeviceCard) -> None:
    """Refuse a card that cannot be right.

    Raises:
        ValueError: one sentence that names the parameter, its value and what it must be.
    """
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
        low, high = _span(card, "trap_time_constant")
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
    low, high = _span(card, "trap_relaxation_energy")
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
    for quantity, (least, most, unit) in VALIDITY_RANGES.items():
        own = {
            f"{name}.valid": item.valid[quantity] for name, item in card.parameters.items() if quantity in item.valid
        }
        whole = getattr(card.validity, quantity)
        if whole is None:
            if own:
                raise ValueError(f"`validity.{quantity}` is missing, but `{next(iter(own))}` narrows it")
            continue
        for name, (low, high) in {"validity": whole, **own}.items():
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
        (low, high), unit = card.range_of(quantity), VALIDITY_RANGES[quantity][2]
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


def _span(card: DeviceCard, name: str) -> tuple[float, float]:
    allowed = allowed_for(type(card), name)
    return allowed.low, allowed.high


def _of(item: Parameter) -> str:
    return format_quantity(item.value, item.unit)
