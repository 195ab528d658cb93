from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError, ValidityError
from ferrogen.device.card import DeviceCard
from ferrogen.device.electrostatics.semiconductor import (
    Statistics,
    sheet_charge,
    silicon,
    solve_surface_potential,
    substrate_of,
)
from ferrogen.device.electrostatics.stack import Stack

DOPING = st.floats(-1e27, 1e27) | st.just(0.0)


@given(
    DOPING, st.floats(200.0, 450.0), st.floats(-20.0, 20.0), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5),
    st.floats(2e-9, 50e-9), st.floats(0.0, 5e-9), st.floats(0.0, 1e-10),
    st.sampled_from(["boltzmann", "fermi"]),
)  # fmt: skip
def test_voltages_add_up(
    doping: float, temperature: float, voltage: float, polarization: float, charge: float, film: float, layer: float,
    screening: float, statistics: Statistics,
) -> None:  # fmt: skip
    stack = Stack(
        film, 30.0, layer, 3.9, top_screening_length=screening, bottom_screening_length=1e-9, built_in_voltage=0.1
    )
    solution = solve_surface_potential(stack, silicon(doping, temperature, statistics), voltage, polarization, charge)
    upper = -solution.substrate_charge - charge
    total = 0.1 + solution.field * film + solution.interlayer_field * layer + solution.surface_potential
    total += upper * screening / 8.8541878128e-12
    scale = 1.0 + abs(voltage) + (abs(polarization) + abs(charge)) * (film / 30.0 + screening) / 8.85e-12
    assert abs(total - voltage) < 1e-8 * scale
    assert np.isfinite(solution.surface_potential)


@given(DOPING, st.floats(-0.6, 0.6), st.sampled_from(["boltzmann", "fermi"]))
def test_charge_opposes_and_falls_with_potential(doping: float, psi: float, statistics: Statistics) -> None:
    substrate = silicon(doping, statistics=statistics)
    charge = sheet_charge(substrate, psi)
    assert charge * psi <= 0.0
    assert sheet_charge(substrate, psi + 1e-3) < charge


def test_types_mirror() -> None:
    """p- and n-type silicon are mirror images under psi -> -psi, but for what the intrinsic density adds."""
    psi = np.linspace(-0.5, 0.5, 21)
    np.testing.assert_allclose(sheet_charge(silicon(1e23), psi), -sheet_charge(silicon(-1e23), -psi), rtol=1e-12)


def test_batch_is_each_alone() -> None:
    stack, substrate = Stack(10e-9, 30.0, 1e-9, 3.9), silicon(-1e24)
    v = np.linspace(-2, 2, 7)[:, None]
    p = np.array([-0.2, 0.0, 0.1])
    batch = solve_surface_potential(stack, substrate, v, p).surface_potential
    alone = [
        [float(solve_surface_potential(stack, substrate, float(a), b).surface_potential) for b in p] for a in v[:, 0]
    ]
    np.testing.assert_allclose(batch, alone, rtol=1e-12, atol=1e-13)


def test_degenerate_is_said() -> None:
    stack = Stack(10e-9, 30.0, 1e-9, 3.9)
    said = solve_surface_potential(stack, silicon(-1e23), np.array([0.0, 0.5, 3.0]), 0.0).degenerate
    assert said.tolist() == [False, False, True]
    assert solve_surface_potential(stack, silicon(1e26), 0.0, 0.0).degenerate


def test_out_of_range_is_refused() -> None:
    with pytest.raises(ValidityError, match="temperature"):
        silicon(1e24, 100.0)
    with pytest.raises(ArgumentError, match="doping"):
        silicon(float("nan"))
    with pytest.raises(ArgumentError, match="statistics"):
        silicon(1e24, statistics="bose")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="surface_potential"):
        sheet_charge(silicon(1e24), 30.0)
    with pytest.raises(ArgumentError, match="voltage"):
        solve_surface_potential(Stack(1e-8, 30.0), silicon(1e24), [0.0, float("inf")], 0.0)


def test_substrate_of_a_card(raw_card: Callable[[], dict[str, Any]]) -> None:
    def parameter(value: float, unit: str) -> dict[str, Any]:
        return {"value": value, "unit": unit, "status": "assumed", "source": "none"}

    data = raw_card()
    data["interface"] = {
        "built_in_voltage": parameter(0.0, "V"),
        "compensated_share": parameter(0.8, "1"),
        "compensation_time": parameter(1e-3, "s"),
    }
    assert substrate_of(DeviceCard.model_validate(data)) is None
    data["interface"]["substrate_doping"] = parameter(1e26, "1/m^3")
    substrate = substrate_of(DeviceCard.model_validate(data))
    assert substrate is not None
    assert (substrate.doping, substrate.statistics) == (1e26, "fermi")
