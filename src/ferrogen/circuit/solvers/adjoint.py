"""Gradients of currents at the line ends with respect to source voltages and cell conductances, by one more solve.

At an operating point V the excess currents vanish, F(V, u) = 0, for parameters u. A scalar L of the end currents
changes by dL/du - x . dF/du, where the adjoint voltages x solve J^T x = dL/dV. The Jacobian J is the nodal matrix with
the cells' slopes: it is symmetric, so x is the operating point of a linear network with the same wires and ends, driven
by dL/dI in place of the sources' voltages; and what its sources deliver is dL/dV of the true ones (Director and Rohrer,
IEEE Trans. Circuit Theory 16, 318, 1969).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.network.cells import Ohmic, by_conductance
from ferrogen.circuit.network.network import Drive, Network
from ferrogen.circuit.solvers.solution import Solution
from ferrogen.circuit.solvers.solve import solve
from ferrogen.core.errors import argument_error

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Gradient:
    """Derivatives of a scalar L = sum over input vectors.

    Attributes:
        left: dL/dV of the sources [L/V], shape ``(rows, batch)``; likewise the other sides.
        right: same shape.
        top: shape ``(columns, batch)``.
        bottom: same shape.
        conductance: dL/dG of the cells [L/S], summed over the input vectors, shape ``(rows, columns)``.
    """

    left: Array
    right: Array
    top: Array
    bottom: Array
    conductance: Array


def gradient(
    network: Network,
    solution: Solution,
    *,
    left: Array | None = None,
    right: Array | None = None,
    top: Array | None = None,
    bottom: Array | None = None,
    method: Literal["auto", "lines", "direct"] = "auto",
    tolerance: float = 1e-10,
) -> Gradient:
    """Return the gradient of a scalar of the end currents.

    Args:
        network: with bridges or without.
        solution: its operating points, with node voltages. Their errors go into the gradient in full.
        left: dL/dI of the left ends' currents, counted into the network [L/A], shape ``(rows, batch)``; zero, if not
            given. Likewise the others.
        right: same shape.
        top: shape ``(columns, batch)``.
        bottom: same shape.
        method: of the adjoint solves, as in :func:`.solve.solve`.
        tolerance: of the adjoint solves.

    Raises:
        ArgumentError: a solution without node voltages, or weights of the wrong shape.
        ConvergenceError: the adjoint solve did not converge.
    """
    if solution.row_voltage is None or solution.column_voltage is None:
        raise argument_error("solution", "have node voltages", "one without", "Solve with nodes=True.")
    weights = _weights(solution, {"left": left, "right": right, "top": top, "bottom": bottom})
    across = solution.row_voltage - solution.column_voltage
    _, slope = network.law.current(network.conductance[:, :, None], across)
    if network.law.linear:
        adjoint = solve(network, weights, method=method, tolerance=tolerance).checked()
        through = _across(adjoint) * across
        return _gathered([adjoint], through.sum(axis=-1))
    parts = []
    total = np.zeros(network.shape)
    sensitivity = by_conductance(network.law, network.conductance[:, :, None], across)
    for k in range(across.shape[-1]):
        one = slice(k, k + 1)
        linear = replace(network, conductance=np.ascontiguousarray(slope[:, :, k]), law=Ohmic())
        sides = (weights.left, weights.right, weights.top, weights.bottom)
        weight = Drive(*(side[:, one] for side in sides))
        parts.append(solve(linear, weight, method=method, tolerance=tolerance).checked())
        total += _across(parts[-1])[..., 0] * sensitivity[..., k]
    return _gathered(parts, total)


def _weights(solution: Solution, given: dict[str, Array | None]) -> Drive:
    full = {}
    for side, weight in given.items():
        shape = getattr(solution, f"{side}_current").shape
        value = np.zeros(shape) if weight is None else np.asarray(weight, dtype=np.float64)
        if value.shape != shape or not np.all(np.isfinite(value)):
            raise argument_error(side, f"hold finite derivatives of shape {shape}", f"of shape {value.shape}")
        full[side] = value
    return Drive(**full)


def _across(solution: Solution) -> Array:
    if solution.row_voltage is None or solution.column_voltage is None:
        raise argument_error("solution", "have node voltages", "one without")
    return solution.row_voltage - solution.column_voltage


def _gathered(parts: list[Solution], conductance: Array) -> Gradient:
    """Return the gradient: an adjoint source's current is what its voltage does to L."""
    left, right, top, bottom = (
        np.concatenate([getattr(part, f"{side}_current") for part in parts], axis=-1)
        for side in ("left", "right", "top", "bottom")
    )
    return Gradient(left, right, top, bottom, conductance)
