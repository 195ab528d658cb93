"""Fields of layered stacks against the textbook bilayer and a direct solution of Gauss' and Kirchhoff's laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import constants as codata

from ferrogen.device.electrostatics.stack import (
    Stack,
    depolarization_field,
    ferroelectric_field,
    interlayer_field,
    screening_charge,
    screening_shifts,
)

EPS0 = codata.epsilon_0
BILAYER = Stack(10e-9, 30.0, 2e-9, 9.0)


def test_bilayer_is_the_textbook_formula() -> None:
    """Fields of both layers by their own formulas; 1e-9 is CODATA's change of eps0 between releases."""
    v, p, sigma = np.meshgrid([-2.0, 0.0, 1.3], [-0.2, 0.1], [-0.15, 0.0, 0.05])
    stack = Stack(10e-9, 30.0, 2e-9, 9.0, built_in_voltage=0.4)
    first = ((v - 0.4) - (p + sigma) * 2e-9 / (EPS0 * 9.0)) / (10e-9 + 2e-9 * 30.0 / 9.0)
    second = ((v - 0.4) + (p + sigma) * 10e-9 / (EPS0 * 30.0)) / (2e-9 + 10e-9 * 9.0 / 30.0)
    np.testing.assert_allclose(ferroelectric_field(stack, v, p, sigma), first, rtol=1e-8, atol=1e-3)
    np.testing.assert_allclose(interlayer_field(stack, v, p, sigma), second, rtol=1e-8, atol=1e-3)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 3.0e8), (0.5, 1.5e8), (0.8, 0.60e8), (0.9, 0.30e8)])
def test_depolarization_of_the_reference_bilayer(share: float, expected: float) -> None:
    """10 nm HZO on 2 nm Al2O3 at 20 uC/cm^2: 3.0 MV/cm bare, in proportion to what is not compensated (two digits)."""
    assert depolarization_field(BILAYER, 0.2, -share * 0.2) == pytest.approx(-expected, rel=0.02)


def test_a_general_stack_solves_the_linear_system() -> None:
    """All layers as unknowns of one linear system."""
    stack = Stack(5e-9, 28.0, 1e-9, 6.0, 0.4e-9, 15.0, 0.03e-9, 0.2e-9, -0.2)
    v, p, sigma = 0.7, -0.15, 0.06
    # unknowns: E_dead, E_F, E_D, D_top/eps0, D_bottom/eps0
    matrix = np.array(
        [
            [0.4e-9, 5e-9, 1e-9, 0.03e-9, 0.2e-9],
            [15.0, 0.0, 0.0, -1.0, 0.0],
            [0.0, 28.0, 0.0, -1.0, 0.0],
            [0.0, 0.0, 6.0, 0.0, -1.0],
            [0.0, 0.0, 0.0, -1.0, 1.0],
        ]
    )
    right = np.array([v + 0.2, 0.0, -p / EPS0, 0.0, sigma / EPS0])
    _, film, layer, top, bottom = np.linalg.solve(matrix, right)
    assert ferroelectric_field(stack, v, p, sigma) == pytest.approx(film, rel=1e-8)
    assert interlayer_field(stack, v, p, sigma) == pytest.approx(layer, rel=1e-8)
    raised, lowered = screening_shifts(stack, v, p, sigma)
    assert raised == pytest.approx(top * 0.03e-9, rel=1e-8)
    assert lowered == pytest.approx(-bottom * 0.2e-9, rel=1e-8)


def test_screening_of_a_capacitor_is_zhuravlevs() -> None:
    stack = Stack(4e-9, 30.0, top_screening_length=0.05e-9, bottom_screening_length=0.1e-9)
    charge = 0.2 * 4e-9 / (30.0 * 0.15e-9 + 4e-9)
    assert screening_charge(stack, 0.2) == pytest.approx(charge, rel=1e-12)
    top, bottom = screening_shifts(stack, 0.0, 0.2)
    assert top == pytest.approx(charge * 0.05e-9 / EPS0, rel=1e-8)
    assert bottom == pytest.approx(-charge * 0.1e-9 / EPS0, rel=1e-8)
