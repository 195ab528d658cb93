"""Column currents of linear cells behind resistive wires, in PyTorch: many tiles and inputs at once, with gradients.

On a CPU every tile is given to :mod:`ferrogen.circuit.solvers`. Elsewhere the same elimination runs in PyTorch: row
lines by tridiagonal solves, conjugate gradients on the column lines, preconditioned by theirs; the recurrences run over
the cells of a line, each step on all lines, tiles and inputs together. Unknown are the deviations from the sources'
voltages, so that small drops keep their digits. The gradient is one more solve of the same network
(:mod:`ferrogen.circuit.solvers.adjoint`). For products with frozen cells an effective conductance
(:meth:`ferrogen.circuit.wires.Wires.effective_conductance`) is far cheaper; this is for cells that are trained.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch.autograd.function import once_differentiable

from ferrogen.circuit.network.network import drive, uniform_network
from ferrogen.circuit.solvers.solution import ConvergenceError
from ferrogen.circuit.solvers.solve import LEAST_TOLERANCE, solve
from ferrogen.circuit.wires import Wires
from ferrogen.core.errors import argument_error, is_whole

_STANDS_FOR_NONE = 1e-9  # of the largest resistance: what wires without any are given


def wired_product(
    voltage: torch.Tensor,
    conductance: torch.Tensor,
    wires: Wires,
    *,
    tolerance: float | None = None,
    max_iterations: int = 1000,
    method: Literal["auto", "lines", "torch"] = "auto",
) -> torch.Tensor:
    """Return the currents of the columns, differentiable with respect to voltages and conductances.

    Args:
        voltage: of the row drivers [V], shape ``(tiles, batch, rows)``.
        conductance: of the cells [S], not negative, shape ``(tiles, rows, columns)``, same type and device.
        wires: rows driven at the left, columns at virtual ground at the bottom.
        tolerance: largest error of a line's current over the largest current of a line (or over the root of the sum of
            its cells' squares, where those cancel); 1e-12 in float64 and 1e-6 in float32, if not given. Solved in
            float64 either way, to that or to what rounding leaves; float32 cannot hold less than the latter.
        max_iterations: of conjugate gradients.
        method: ``lines`` (on CPU), ``torch`` (on any device), or ``auto``: lines for tensors on CPU.

    Returns:
        into the sense amplifiers [A], shape ``(tiles, batch, columns)``. Takes memory for some ten tensors of shape
        ``(tiles, rows, columns, batch)``: split large batches.

    Raises:
        ArgumentError: shapes, types or numbers that do not fit.
        ConvergenceError: the tolerance was not reached.
    """
    if conductance.ndim != 3 or voltage.ndim != 3 or voltage.shape[::2] != conductance.shape[:2]:
        raise argument_error(
            "voltage and conductance", "have the shapes (tiles, batch, rows) and (tiles, rows, columns)",
            f"of shapes {tuple(voltage.shape)} and {tuple(conductance.shape)}",
        )  # fmt: skip
    kinds = (torch.float32, torch.float64)
    if voltage.dtype not in kinds or (voltage.dtype, voltage.device) != (conductance.dtype, conductance.device):
        raise argument_error(
            "voltage and conductance", "be float32 or float64, both of one type on one device",
            f"{voltage.dtype} on {voltage.device} and {conductance.dtype} on {conductance.device}",
        )  # fmt: skip
    if not (bool(torch.isfinite(voltage).all()) and bool(((conductance >= 0) & torch.isfinite(conductance)).all())):
        raise argument_error("voltage and conductance", "be finite, conductances not negative", "not so in places")
    if not is_whole(max_iterations, 1):
        raise argument_error("max_iterations", "be a whole number of at least 1", repr(max_iterations))
    if method not in ("auto", "torch", "lines") or (method == "lines" and voltage.device.type != "cpu"):
        raise argument_error("method", "be 'auto', 'torch' or, on a CPU, 'lines'", f"{method!r} on {voltage.device}")
    wanted = tolerance if tolerance is not None else (1e-12 if voltage.dtype == torch.float64 else 1e-6)
    if not 0.0 < wanted < 1.0:
        raise argument_error("tolerance", "be a relative residual between 0 and 1", repr(tolerance))
    if 0 in (*voltage.shape, *conductance.shape):
        return voltage @ conductance
    ends = (wires.row_segment + wires.driver_resistance, wires.column_segment + wires.amplifier_resistance)
    if not any(ends):
        return voltage @ conductance
    least = _STANDS_FOR_NONE * max(ends)
    resistances = tuple(max(part, least) for part in (wires.row_segment, wires.column_segment, *ends))
    fast = method == "lines" or (method == "auto" and voltage.device.type == "cpu")
    currents: torch.Tensor = _Product.apply(  # type: ignore[no-untyped-call]
        voltage, conductance, _Lines(conductance, resistances) if fast else _Tensors(conductance, resistances),
        wanted, max_iterations,
    )  # fmt: skip
    return currents


class _Product(torch.autograd.Function):
    """Two solves: forwards one, backwards the other."""

    @staticmethod
    def forward(
        ctx: Any,
        voltage: torch.Tensor,
        conductance: torch.Tensor,
        lines: _Lines | _Tensors,
        tolerance: float,
        max_iterations: int,
    ) -> torch.Tensor:
        across = lines.across(voltage.transpose(1, 2), None, tolerance, max_iterations)
        ctx.save_for_backward(conductance, across)
        ctx.lines, ctx.tolerance, ctx.max_iterations = lines, tolerance, max_iterations
        return torch.einsum("trc,trcb->tbc", conductance, across)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        conductance, across = ctx.saved_tensors
        # The adjoint network: rows grounded, columns driven by minus the weights, as their currents count outwards.
        adjoint = ctx.lines.across(None, -gradients[0].transpose(1, 2), ctx.tolerance, ctx.max_iterations)
        to_voltage = torch.einsum("trc,trcb->tbr", conductance, adjoint)
        return to_voltage, (adjoint * across).sum(dim=-1), None, None, None


class _Lines:
    """Many tiles, solved one after the other by the line solver."""

    def __init__(self, conductance: torch.Tensor, resistances: tuple[float, ...]) -> None:
        row, column, row_end, column_end = resistances
        self.like = conductance
        self.networks = [
            uniform_network(tile, row_segment=row, column_segment=column, row_left=row_end, column_bottom=column_end)
            for tile in conductance.detach().to(torch.float64).numpy()
        ]

    def across(
        self, rows: torch.Tensor | None, columns: torch.Tensor | None, tolerance: float, max_iterations: int
    ) -> torch.Tensor:
        """Return the voltages across the cells, ``(tiles, rows, columns, batch)``.

        Args:
            rows: voltages of the rows' sources [V], ``(tiles, rows, batch)``; grounded, if not given.
            columns: of the columns' sources, ``(tiles, columns, batch)``.
            tolerance: of the residual.
            max_iterations: before it gives up.
        """
        tiles = []
        for k, network in enumerate(self.networks):
            left, bottom = (0.0 if side is None else side[k].detach().double().numpy() for side in (rows, columns))
            sources = drive(network, left=left, bottom=bottom)
            # That solver judges single nodes; what they have in excess adds up along a line.
            of_node = max(tolerance / max(self.like.shape[1:]), LEAST_TOLERANCE)
            found = solve(network, sources, tolerance=of_node, max_iterations=max_iterations)
            found.checked()
            if found.row_voltage is not None and found.column_voltage is not None:
                tiles.append(torch.from_numpy(found.row_voltage - found.column_voltage))
        return torch.stack(tiles).to(self.like.dtype)


class _Tensors:
    """Factors of the lines of many tiles; all tensors of shape ``(tiles, rows, columns, 1)``.

    Attributes:
        kind: type of the tensors given; all below is double.
        cells: conductances.
        row: pivots of the row lines with their cells, inverted, eliminated from the left.
        column: pivots of the preconditioner's column lines, inverted, eliminated from the top.
        column_diagonal: diagonal of the column lines with their cells.
        wires: conductances of segments and ends (row, column, row end, column end) [S].
    """

    def __init__(self, conductance: torch.Tensor, resistances: tuple[float, ...]) -> None:
        self.kind = conductance.dtype
        # In single precision residuals that are carried along fall on, while currents stay 1e-3 off in harsh arrays.
        self.cells = cells = conductance.detach().double().unsqueeze(-1)
        self.wires = row_segment, column_segment, row_end, column_end = tuple(1.0 / part for part in resistances)
        row = _line_diagonal(cells, 2, row_segment, row_end, end_first=True) + cells
        forwards, back = _pivots(row, 2, row_segment), _pivots(row, 2, row_segment, backwards=True)
        column = _line_diagonal(cells, 1, column_segment, column_end, end_first=False) + cells
        # The Schur complement's diagonal: what a cell adds to its column node, less what its row node gives back.
        back_through_row = cells * cells / (forwards + back - row)
        pivots = _pivots(column - back_through_row, 1, column_segment)
        self.row, self.column, self.column_diagonal = 1.0 / forwards, 1.0 / pivots, column

    def across(
        self, rows: torch.Tensor | None, columns: torch.Tensor | None, tolerance: float, max_iterations: int
    ) -> torch.Tensor:
        """Return the voltages across the cells; see :meth:`_Lines.across`."""
        given = rows.double().unsqueeze(2) if rows is not None else torch.zeros_like(self.cells)
        if columns is not None:
            given = given - columns.double().unsqueeze(1)
        whole = given.expand(*self.cells.shape[:3], given.shape[3])
        return _solve(self, whole, tolerance, max_iterations).to(self.kind)


def _line_diagonal(like: torch.Tensor, dim: int, segment: float, end: float, *, end_first: bool) -> torch.Tensor:
    """Return the diagonal of a line of segments with one end, along ``dim`` of a tensor."""
    number = like.shape[dim]
    diagonal = torch.full((number,), 2.0 * segment, dtype=like.dtype, device=like.device)
    diagonal[0] -= segment
    diagonal[-1] -= segment
    diagonal[0 if end_first else -1] += end
    return diagonal.view(*(number if k == dim else 1 for k in range(4)))


def _pivots(diagonal: torch.Tensor, dim: int, segment: float, *, backwards: bool = False) -> torch.Tensor:
    """Return the pivots of tridiagonal elimination along ``dim``."""
    pivots = list(diagonal.unbind(dim))
    order = range(len(pivots) - 2, -1, -1) if backwards else range(1, len(pivots))
    for k in order:
        before = pivots[k + 1 if backwards else k - 1]
        pivots[k] = pivots[k] - segment * segment / before
    return torch.stack(pivots, dim)


def _tridiagonal(right: torch.Tensor, inverse: torch.Tensor, dim: int, segment: float) -> torch.Tensor:
    """Solve the lines along ``dim`` for right sides of shape ``(tiles, rows, columns, batch)``."""
    parts, pivots = list(right.unbind(dim)), inverse.unbind(dim)
    parts[0] = parts[0] * pivots[0]
    for k in range(1, len(parts)):
        parts[k] = (parts[k] + segment * parts[k - 1]) * pivots[k]
    for k in range(len(parts) - 2, -1, -1):
        parts[k] = parts[k] + (segment * pivots[k]) * parts[k + 1]
    return torch.stack(parts, dim)


def _solve(lines: _Tensors, across: torch.Tensor, tolerance: float, max_iterations: int) -> torch.Tensor:
    """Return the voltages across the cells.

    A column's current misses what its nodes have in excess, all together, so that is what the tolerance judges: a small
    excess at every node adds up along a line. The recurrence that conjugate gradients carry along says when to look;
    what counts is the excess computed anew from the voltages, and if it is too large, they start again from there.
    An excess that rounding alone would leave counts as none.

    Args:
        lines: of the tiles.
        across: the difference of the sources of a cell's lines [V], shape ``(tiles, rows, columns, batch)``.
        tolerance: largest sum of a column's excess currents over the largest current of a line.
        max_iterations: before it gives up.
    """
    row_segment, column_segment, _, _ = lines.wires
    cells, inner = lines.cells, (1, 2)

    def rows(current: torch.Tensor) -> torch.Tensor:
        return _tridiagonal(current, lines.row, 2, row_segment)

    def along_columns(direction: torch.Tensor) -> torch.Tensor:
        along = lines.column_diagonal * direction
        along[:, 1:] -= column_segment * direction[:, :-1]
        along[:, :-1] -= column_segment * direction[:, 1:]
        return along

    ideal = cells * across
    row = -rows(ideal)
    column = torch.zeros_like(row)
    left = ideal + cells * row  # excess currents of the column nodes
    refined = _tridiagonal(left, lines.column, 1, column_segment)
    direction = refined
    product = (left * refined).sum(dim=inner, keepdim=True)
    residual = torch.zeros(())
    for _ in range(max_iterations):
        scale = _largest_line(ideal + cells * (row - column))
        active = _excess(left) > tolerance * scale
        if not bool(active.any()):
            row = rows(cells * column - ideal)
            left = ideal + cells * row - along_columns(column)
            rounding = torch.finfo(left.dtype).eps * _excess(lines.column_diagonal * column)
            active = _excess(left) > torch.maximum(tolerance * scale, rounding)
            if not bool(active.any()):
                return across + row - column
            refined = _tridiagonal(left, lines.column, 1, column_segment)
            product, direction = (left * refined).sum(dim=inner, keepdim=True), refined
        residual = torch.where(active, _excess(left) / scale, torch.zeros_like(scale)).max()
        response = rows(cells * direction)
        along = along_columns(direction) - cells * response
        bend = (direction * along).sum(dim=inner, keepdim=True)
        step = torch.where(active & (bend > 0), product / bend, torch.zeros_like(bend))
        column = column + step * direction
        row = row + step * response
        left = left - step * along
        refined = _tridiagonal(left, lines.column, 1, column_segment)
        before, product = product, (left * refined).sum(dim=inner, keepdim=True)
        turn = torch.where(before > 0, product / before, torch.zeros_like(product))
        direction = refined + turn * direction
    raise ConvergenceError(
        f"The wired product stopped after {max_iterations} iterations with a relative residual of"
        f" {float(residual):.1e}. Allow more iterations or a larger tolerance, or use float64."
    )


def _excess(left: torch.Tensor) -> torch.Tensor:
    """Return the largest sum of a column's excess currents [A], shape ``(tiles, 1, 1, batch)``."""
    return left.abs().sum(dim=1, keepdim=True).amax(dim=2, keepdim=True)


def _largest_line(current: torch.Tensor) -> torch.Tensor:
    """Return the largest current of a line [A], shape ``(tiles, 1, 1, batch)``.

    Where the currents of a line's cells cancel, the root of the sum of their squares: what they would be together, if
    their signs were random.
    """
    of_lines = []
    for dim, other in ((1, 2), (2, 1)):
        together = torch.maximum(current.sum(dim=dim, keepdim=True).abs(), current.norm(dim=dim, keepdim=True))
        of_lines.append(together.amax(dim=other, keepdim=True))
    return torch.minimum(*of_lines)
