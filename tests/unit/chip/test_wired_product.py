"""Products behind wires in PyTorch: against the circuit solvers, and gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ferrogen.chip.wired_product import wired_product
from ferrogen.circuit.network.network import drive, uniform_network
from ferrogen.circuit.solvers.adjoint import gradient
from ferrogen.circuit.solvers.solution import ConvergenceError
from ferrogen.circuit.solvers.solve import solve
from ferrogen.circuit.wires import Wires
from ferrogen.core.errors import ArgumentError

methods = pytest.mark.parametrize("method", ["lines", "torch"])
HARSH = Wires(3.0, 5.0, driver_resistance=40.0, amplifier_resistance=20.0)


def problem(tiles: int, rows: int, columns: int, batch: int, cell: float = 1e-4) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(1)
    conductance = cell * 10.0 ** rng.uniform(-1, 0, (tiles, rows, columns))
    return torch.from_numpy(rng.uniform(-1, 1, (tiles, batch, rows))), torch.from_numpy(conductance)


@methods
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 7), (2, 6, 1), (3, 9, 14), (1, 48, 40)])
@pytest.mark.parametrize(("wires", "cell"), [(HARSH, 1e-4), (Wires(), 20e-9), (Wires(1e-6, 1e-6), 1e-9), (HARSH, 0.1)])
def test_currents_are_those_of_the_circuit_solver(shape, wires, cell, method):
    voltage, conductance = problem(*shape, batch=3, cell=cell)
    ours = wired_product(voltage, conductance, wires, method=method)
    for tile in range(shape[0]):
        network = uniform_network(
            conductance[tile].numpy(),
            row_segment=wires.row_segment,
            column_segment=wires.column_segment,
            row_left=wires.row_segment + wires.driver_resistance,
            column_bottom=wires.column_segment + wires.amplifier_resistance,
        )
        sources = drive(network, left=voltage[tile].numpy().T)
        expected = -solve(network, sources, method="direct").checked().bottom_current.T
        np.testing.assert_allclose(ours[tile], expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_wires_without_resistance():
    voltage, conductance = problem(2, 4, 5, 3)
    ideal = voltage @ conductance
    torch.testing.assert_close(wired_product(voltage, conductance, Wires(0.0, 0.0)), ideal)
    only_rows = wired_product(voltage, conductance, Wires(10.0, 0.0))
    torch.testing.assert_close(only_rows, wired_product(voltage, conductance, Wires(10.0, 1e-9)), rtol=1e-7, atol=0)
    assert not torch.allclose(only_rows, ideal, rtol=1e-3)
    assert wired_product(voltage[:, :0], conductance, HARSH).shape == (2, 0, 5)
    assert not wired_product(torch.zeros_like(voltage), conductance, HARSH).any()


@methods
def test_gradients_are_those_of_finite_differences(method):
    voltage, conductance = problem(2, 4, 3, 2)
    voltage.requires_grad_()
    relative = torch.ones_like(conductance).requires_grad_()

    def currents(v: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        return 1e4 * wired_product(v, conductance * factor, HARSH, tolerance=1e-14, method=method)

    assert torch.autograd.gradcheck(currents, (voltage, relative), eps=1e-6, atol=1e-8, rtol=1e-6)


@methods
def test_gradients_are_those_of_the_adjoint_solver(method):
    voltage, conductance = problem(1, 12, 10, 4)
    leaves = voltage.clone().requires_grad_(), conductance.clone().requires_grad_()
    weight = torch.from_numpy(np.random.default_rng(2).normal(size=(1, 4, 10)))
    (wired_product(*leaves, HARSH, method=method) * weight).sum().backward()
    network = uniform_network(
        conductance[0].numpy(), row_segment=3.0, column_segment=5.0, row_left=43.0, column_bottom=25.0
    )
    found = solve(network, drive(network, left=voltage[0].numpy().T), tolerance=1e-12)
    expected = gradient(network, found, bottom=-weight[0].numpy().T, tolerance=1e-12)
    np.testing.assert_allclose(leaves[0].grad[0].T, expected.left, rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(leaves[1].grad[0], expected.conductance, rtol=1e-8, atol=1e-10)


@methods
def test_single_precision(method):
    voltage, conductance = problem(2, 16, 12, 3)
    exact = wired_product(voltage, conductance, HARSH)
    single = wired_product(voltage.float(), conductance.float(), HARSH, method=method)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), exact, rtol=1e-4, atol=1e-5 * float(exact.abs().max()))


@methods
def test_single_precision_does_not_end_before_a_harsh_array_is_solved(method):
    # 256 x 256, 10 uS, 1 Ohm: solved in single precision, currents were 1.3e-4 off while the residual said 1e-6.
    voltage, conductance = problem(1, 256, 256, 1, cell=1e-5)
    exact = wired_product(voltage, conductance, Wires(1.0, 1.0))
    single = wired_product(voltage.float(), conductance.float(), Wires(1.0, 1.0), method=method)
    torch.testing.assert_close(single.double(), exact, rtol=0.0, atol=1e-5 * float(exact.abs().max()))


@methods
@pytest.mark.parametrize("cell", [1e-5, 1e-4])
@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-9])
def test_every_column_is_right_to_the_tolerance(method, cell, tolerance):
    # Judged node by node, columns of this size were 60 times the tolerance off: what nodes lack adds up along a line.
    voltage, conductance = problem(1, 256, 256, 2, cell=cell)
    wires = Wires(10.0, 10.0)
    exact = wired_product(voltage, conductance, wires, tolerance=1e-13, method="lines")
    ours = wired_product(voltage, conductance, wires, tolerance=tolerance, method=method)
    error = (ours - exact).abs().amax(dim=2) / exact.abs().amax(dim=2)
    assert float(error.max()) <= tolerance


@methods
def test_gradients_are_right_to_the_tolerance(method):
    voltage, conductance = problem(1, 128, 128, 2, cell=1e-4)
    found = []
    for tolerance in (1e-13, 1e-6):
        leaves = voltage.clone().requires_grad_(), conductance.clone().requires_grad_()
        wired_product(*leaves, Wires(10.0, 10.0), tolerance=tolerance, method=method).sin().sum().backward()
        found.append([leaf.grad for leaf in leaves])
    for exact, ours in zip(*found, strict=True):
        assert float((ours - exact).abs().max() / exact.abs().max()) <= 1e-6


def test_the_other_device():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    voltage, conductance = problem(2, 16, 12, 3)
    here = [part.clone().requires_grad_() for part in (voltage, conductance)]
    there = [part.cuda().requires_grad_() for part in (voltage, conductance)]
    for leaves in (here, there):
        wired_product(*leaves, HARSH).square().sum().backward()
    for one, other in zip(here, there, strict=True):
        torch.testing.assert_close(other.grad.cpu(), one.grad, rtol=1e-9, atol=1e-9 * float(one.grad.abs().max()))


def test_what_does_not_fit_is_refused():
    voltage, conductance = problem(1, 4, 3, 2)
    for bad in (
        (voltage[0], conductance, {}),
        (voltage.transpose(1, 2), conductance, {}),
        (voltage.float(), conductance, {}),
        (voltage, -conductance, {}),
        (voltage * float("nan"), conductance, {}),
        (voltage, conductance, {"tolerance": 0.0}),
        (voltage, conductance, {"max_iterations": 0}),
        (voltage, conductance, {"method": "fast"}),
    ):
        with pytest.raises(ArgumentError):
            wired_product(*bad[:2], HARSH, **bad[2])
    for method in ("lines", "torch"):
        with pytest.raises(ConvergenceError, match="stopped after 1 iterations"):
            wired_product(voltage, conductance, HARSH, max_iterations=1, method=method)
