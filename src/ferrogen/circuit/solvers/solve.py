"""The entry point of the wire solvers: which method, and what is refused before it starts."""

from __future__ import annotations

from typing import Literal

from ferrogen.circuit.network.network import Drive, Network
from ferrogen.circuit.solvers.direct import solve_direct
from ferrogen.circuit.solvers.solution import Solution
from ferrogen.core.errors import argument_error, is_whole

LEAST_TOLERANCE = 1e-14
"""Smallest relative residual that can be asked for: what rounding leaves of one."""


def solve(
    network: Network,
    drive: Drive,
    *,
    method: Literal["auto", "lines", "direct"] = "auto",
    tolerance: float = 1e-10,
    max_iterations: int = 200,
    nodes: bool = True,
) -> Solution:
    """Return the operating points of a network for every input vector.

    Args:
        network: cells, wires, ends.
        drive: voltages of the sources.
        method: ``lines`` (iterative, fast, no bridges), ``direct`` (sparse factorisation, the oracle), or ``auto``:
            lines where they apply. :attr:`Solution.method` says which it was.
        tolerance: largest relative residual (:attr:`Outcome.residual`) that counts as solved.
        max_iterations: of the outermost loop.
        nodes: whether to return the nodes' voltages, too.

    Raises:
        ArgumentError: a method, tolerance or number of iterations that cannot be used, or a drive of another network.
    """
    if method not in ("auto", "lines", "direct"):
        raise argument_error("method", "be 'auto', 'lines' or 'direct'", repr(method))
    if not (LEAST_TOLERANCE <= tolerance < 1.0):
        raise argument_error("tolerance", f"be a relative residual from {LEAST_TOLERANCE:g} to 1", repr(tolerance))
    if not is_whole(max_iterations, 1):
        raise argument_error("max_iterations", "be a whole number of at least 1", repr(max_iterations))
    driven = (drive.left.shape[0], drive.top.shape[0])
    if driven != network.shape or not drive.batch:
        raise argument_error(
            "drive", f"have at least one input vector for the lines of a {network.shape[0]} x {network.shape[1]} array",
            f"{drive.batch} vectors for {driven[0]} x {driven[1]}", "Make it with drive(network, ...).",
        )  # fmt: skip
    return solve_direct(network, drive, tolerance=tolerance, max_iterations=max_iterations, nodes=nodes)
