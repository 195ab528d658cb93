from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.constants import epsilon_0

from ferrogen.core.errors import ArgumentError
from ferrogen.device.card import DeviceCard
from ferrogen.device.electrostatics.stack import (
    Stack,
    depolarization_field,
    displacements,
    ferroelectric_field,
    ferroelectric_share,
    interlayer_field,
    stack_of,
)
from ferrogen.device.noise.traps import stack_thickness


def _parameter(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "status": "assumed", "source": "none"}


def test_stack_of_a_card_without_interface_is_bare(raw_card: Callable[[], dict[str, Any]]) -> None:
    data = raw_card()
    data.pop("interface", None)
    card = DeviceCard.model_validate(data)
    stack = stack_of(card)
    assert stack.built_in_voltage == 0.0
    assert stack.top_screening_length == stack.bottom_screening_length == stack.dead_layer_thickness == 0.0
    assert stack.equivalent_thickness == pytest.approx(stack_thickness(card), rel=1e-14, abs=0.0)


def test_stack_of_a_card_takes_all_of_interface(raw_card: Callable[[], dict[str, Any]]) -> None:
    data = raw_card()
    data["interface"] = {
        "built_in_voltage": _parameter(-0.3, "V"),
        "compensated_share": _parameter(0.8, "1"),
        "compensation_time": _parameter(1e-3, "s"),
        "top_screening_length": _parameter(0.02e-9, "m"),
        "bottom_screening_length": _parameter(0.1e-9, "m"),
        "dead_layer_thickness": _parameter(0.5e-9, "m"),
        "dead_layer_permittivity": _parameter(20.0, "1"),
    }
    stack = stack_of(DeviceCard.model_validate(data))
    assert stack == Stack(10e-9, 30.0, 1e-9, 3.9, 0.5e-9, 20.0, 0.02e-9, 0.1e-9, -0.3)


LENGTHS = st.floats(0.0, 5e-9)


@given(
    st.floats(1e-9, 30e-9), st.floats(1.0, 80.0), LENGTHS, st.floats(1.0, 30.0), LENGTHS, st.floats(0.0, 1e-9),
    st.floats(0.0, 1e-9), st.floats(-3.0, 3.0), st.floats(-5.0, 5.0), st.floats(-0.4, 0.4), st.floats(-0.4, 0.4),
)  # fmt: skip
def test_kirchhoff_and_gauss(
    film: float, permittivity: float, layer: float, layer_permittivity: float, dead: float, top: float, bottom: float,
    built_in: float, voltage: float, polarization: float, charge: float,
) -> None:  # fmt: skip
    """The voltages of the layers add up to the applied one, and D jumps by the interface charge only."""
    stack = Stack(film, permittivity, layer, layer_permittivity, dead, 20.0, top, bottom, built_in)
    field = ferroelectric_field(stack, voltage, polarization, charge)
    upper, lower = displacements(stack, voltage, polarization, charge)
    scale = abs(voltage) + abs(built_in) + (abs(polarization) + abs(charge)) * 5e-9 / epsilon_0 + 1e-6
    total = built_in + field * film + upper * (dead / 20.0 + top) / epsilon_0
    total += interlayer_field(stack, voltage, polarization, charge) * layer + lower * bottom / epsilon_0
    assert abs(total - voltage) < 1e-9 * scale
    assert lower - upper == pytest.approx(charge, rel=1e-8, abs=1e-12)
    assert upper == pytest.approx(epsilon_0 * permittivity * field + polarization, rel=1e-9, abs=1e-9)
    step = ferroelectric_field(stack, voltage + 1.0, polarization, charge) - field
    assert step * film == pytest.approx(ferroelectric_share(stack), rel=1e-6)
    alone = depolarization_field(stack, polarization)
    assert alone * polarization <= 0.0


def test_arguments_broadcast() -> None:
    stack = Stack(10e-9, 30.0, 2e-9, 9.0)
    field = ferroelectric_field(stack, np.linspace(-1, 1, 5)[:, None], np.array([-0.2, 0.0, 0.2]), 0.01)
    assert field.shape == (5, 3)
    assert (np.diff(field, axis=0) > 0).all()
    assert (np.diff(field, axis=1) < 0).all()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((0.0, 30.0), "ferroelectric_thickness"),
        ((1e-8, 0.5), "ferroelectric_permittivity"),
        ((1e-8, 30.0, -1e-9), "interlayer_thickness"),
        ((1e-8, float("nan")), "ferroelectric_permittivity"),
        ((1e-8, 30.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, float("inf")), "built_in_voltage"),
    ],
)
def test_impossible_layers_are_refused(arguments: tuple[float, ...], name: str) -> None:
    with pytest.raises(ArgumentError, match=name):
        Stack(*arguments)


def test_not_a_number_is_refused() -> None:
    with pytest.raises(ArgumentError, match="polarization"):
        ferroelectric_field(Stack(1e-8, 30.0), 1.0, [0.1, float("nan")])
