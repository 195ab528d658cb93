"""One network, three solvers: the iterative one, the direct one, ngspice; and whether they agree."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from ferrogen.circuit.network.network import Drive, Network
from ferrogen.circuit.solvers.solution import Solution
from ferrogen.circuit.solvers.solve import LEAST_TOLERANCE, solve
from ferrogen.circuit.spice.compare import FLOOR, Comparison, compare
from ferrogen.circuit.spice.run import DEFAULT_TIME_LIMIT
from ferrogen.circuit.spice.static import SimulatedArray, StaticNetlist, static_netlist
from ferrogen.circuit.spice.static_elements import SIDES, Wires, ends
from ferrogen.core.errors import check_number
from ferrogen.core.files import atomic_path

SIMULATOR_TOLERANCE: Final = 1e-6
"""Largest relative difference from ngspice that counts as agreement."""

SOLVER_TOLERANCE: Final = 1e-9
"""Largest relative difference between our own solvers that counts as agreement."""

_RESIDUAL = LEAST_TOLERANCE  # asked of our solvers; what they reach is in their outcomes
_ROUNDING = 64.0  # of a node's currents, in rounding errors of the largest voltage over the smallest resistance


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """What the solvers found, and how far apart it is.

    Attributes:
        network: that was solved.
        drive: its sources.
        netlist: that ngspice was given.
        lines: our iterative solution; None where it does not apply, as with bridges.
        direct: our direct one.
        simulated: by ngspice.
        with_simulator: comparison of the direct solution with ngspice.
        with_direct: of the iterative with the direct one; None likewise.
        seconds: wall-clock time of every solver.
        tolerance: for ngspice, relative [1].
        rounding: estimate, on the high side, of what rounding in ngspice's matrix does to the smallest current that is
            compared [1].
    """

    network: Network
    drive: Drive
    netlist: StaticNetlist
    lines: Solution | None
    direct: Solution
    simulated: SimulatedArray
    with_simulator: Comparison
    with_direct: Comparison | None
    seconds: dict[str, float]
    tolerance: float
    rounding: float

    @property
    def converged(self) -> bool:
        """Whether our own solvers reached what was asked of them."""
        return self.direct.outcome.converged and (self.lines is None or self.lines.outcome.converged)

    @property
    def agree(self) -> bool:
        """Whether all solvers agree within their tolerances."""
        ours = self.with_direct is None or self.with_direct.largest <= SOLVER_TOLERANCE
        return self.converged and ours and self.with_simulator.largest <= self.tolerance


def verify_network(
    network: Network,
    drive: Drive,
    *,
    tolerance: float = SIMULATOR_TOLERANCE,
    wires: Wires | Literal["auto"] = "auto",
    isolated: Literal["refuse", "ground"] = "refuse",
    time_limit: float = DEFAULT_TIME_LIMIT,
    ngspice: str | Path | None = None,
    keep_log: Path | None = None,
    keep_netlist: Path | None = None,
    header: str = "",
) -> Verification:
    """Solve a network by all solvers and compare them, node by node.

    Args:
        network: cells, wires, ends.
        drive: sources.
        tolerance: largest relative difference from ngspice that counts as agreement.
        wires: how wires stand in the netlist; ``auto``: as resistors, unless rounding in the simulator's nodal matrix
            alone would use up half of the tolerance (:mod:`ferrogen.circuit.spice.static`).
        isolated: as in :func:`ferrogen.circuit.solvers.solve.solve`.
        time_limit: for ngspice [s].
        ngspice: path of the program; searched in the PATH, if not given.
        keep_log: file for its log.
        keep_netlist: file for the netlist, written before ngspice starts.
        header: comment at the beginning of the netlist.

    Raises:
        ArgumentError: a network or an argument that cannot be used.
        SimulatorError: ngspice is missing or gives no result.
    """
    check_number("tolerance", tolerance, "1")
    seconds: dict[str, float] = {}
    begun = time.perf_counter()
    direct = solve(network, drive, method="direct", tolerance=_RESIDUAL, isolated=isolated)
    seconds["direct"] = time.perf_counter() - begun
    lines = None
    if not network.bridges:
        begun = time.perf_counter()
        tried = solve(network, drive, method="lines", tolerance=_RESIDUAL, isolated=isolated)
        if tried.method == "lines":  # a solution of the direct solver would agree with itself
            lines = tried
            seconds["lines"] = time.perf_counter() - begun
    chosen = wires if wires != "auto" else "resistors"
    rounding = nodal_rounding(network, drive, direct, wires=chosen == "resistors")
    if wires == "auto" and rounding > 0.5 * tolerance:
        chosen, rounding = "branches", nodal_rounding(network, drive, direct, wires=False)
    netlist = static_netlist(network, drive, wires=chosen, isolated=isolated, header=header)
    if keep_netlist is not None:
        with atomic_path(keep_netlist) as temporary:
            temporary.write_text(netlist.deck.text(), encoding="utf-8")
    simulated = netlist.simulate(time_limit=time_limit, ngspice=ngspice, keep_log=keep_log)
    seconds["ngspice"] = simulated.run.seconds
    return Verification(
        network=network,
        drive=drive,
        netlist=netlist,
        lines=lines,
        direct=direct,
        simulated=simulated,
        with_simulator=compare(direct, simulated, names=("direct", "ngspice")),
        with_direct=None if lines is None else compare(lines, direct, names=("lines", "direct")),
        seconds=seconds,
        tolerance=tolerance,
        rounding=rounding,
    )


def nodal_rounding(network: Network, drive: Drive, solution: Solution, *, wires: bool = True) -> float:
    """Return how far rounding alone moves the smallest current that is compared, in a simulator's nodal matrix [1].

    A node's voltage V is a double, so a current G V into it is off by G V times the rounding unit, however small the
    difference of voltages that drives it.

    Args:
        network: cells, wires, ends.
        drive: sources.
        solution: gives the currents of the ends and the voltages of the nodes.
        wires: whether those of wires count; with ``branches`` only cells' currents follow from voltages.
    """
    outer = ends(network)
    resistances = [network.row_segments.ravel(), network.column_segments.ravel(), *outer.values()]
    resistances.append(np.array([bridge.resistance for bridge in network.bridges]))
    steepest = 1.0 / float(np.concatenate(resistances).min(initial=np.inf)) if wires else 0.0
    if solution.row_voltage is not None and solution.column_voltage is not None:
        across = solution.row_voltage - solution.column_voltage
        _, slope = network.law.current(network.conductance[:, :, None], across)
        steepest = max(steepest, float(slope.max(initial=0.0)))
    volts = max(float(np.abs(getattr(drive, side)[np.isfinite(outer[side])]).max(initial=0.0)) for side in SIDES)
    flowing = np.concatenate([np.abs(getattr(solution, f"{side}_current"))[np.isfinite(outer[side])] for side in SIDES])
    largest = float(flowing.max(initial=0.0))
    if largest == 0.0:
        return 0.0
    least = max(float(flowing.min(initial=np.inf)), FLOOR * largest)
    return _ROUNDING * float(np.finfo(np.float64).eps) * volts * steepest / least
