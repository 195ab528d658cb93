"""Fitting a trap ensemble: simulate cells, reduce them as the measured cells are reduced, and match.

Matched are the quantiles over the cells of ln(deviation), the mean spectrum and its slope, and quartiles over the cells
of the decay under averaging and of ln(tail); each difference counts in units of its bootstrap error over the measured
cells (simulated method of moments, McFadden, Econometrica 57, 995 (1989), doi:10.2307/1913621). The white noise is
taken from the differences of successive reads beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ferrogen.calibration.rtn.cells import CellTable, cell_table
from ferrogen.calibration.rtn.ensemble import Draws, TrapEnsemble, draw_numbers, simulate_cells
from ferrogen.core.errors import argument_error, is_whole
from ferrogen.core.streams import Purpose, Streams

Array = NDArray[np.float64]

_LEVELS = np.array([0.05, 0.15, 0.25, 0.35, 0.5, 0.65, 0.75, 0.85, 0.95])
_QUARTILES = np.array([0.25, 0.5, 0.75])
_LEAST_CELLS = 20
_STARTS = (
    (20.0, 0.5, 22.0),
    (45.0, 0.27, 38.0),
    (6.0, 1.0, 8.0),
)  # traps a cell, amplitude over the typical deviation, level width
_SLOPE_WEIGHT = 3  # the slope counts as much as three of the bins it is made of
_RESAMPLES = 200
_NAMES = ("traps_per_cell", "amplitude", "amplitude_width", "shortest", "longest", "level_width")
_LOWEST = np.log([0.2, 1e-5, 0.1, 0.05, 20.0, 0.3])
_HIGHEST = np.log([120.0, 0.4, 2.5, 20.0, 1e6, 40.0])  # 40 thermal energies are 1 eV


@dataclass(frozen=True, slots=True)
class EnsembleFit:
    """A fitted ensemble.

    Attributes:
        ensemble: the parameters; times in reads.
        misfit: mean squared difference of the matched numbers in units of their errors (1 is as good as it gets).
        moments: how many numbers were matched.
        at_bound: parameters that ended on a bound of the search: the data do not confine them there.
        evaluations: simulations used.
    """

    ensemble: TrapEnsemble
    misfit: float
    moments: int
    at_bound: tuple[str, ...]
    evaluations: int


def moments(table: CellTable) -> Array:
    """Return the numbers that are matched, of one population."""
    decay = table.decay[:, table.usable]
    return np.concatenate(
        [
            np.quantile(np.log(table.deviation), _LEVELS),
            np.log(table.mean_spectrum),
            np.full(_SLOPE_WEIGHT, table.slope),
            np.quantile(np.log(decay), _QUARTILES, axis=0).ravel(),
            np.quantile(np.log(table.tail), _QUARTILES),
        ]
    )


def moment_errors(table: CellTable, generator: np.random.Generator) -> Array:
    """Return the bootstrap standard errors, over the cells, of :func:`moments`."""
    draws = [moments(table.take(generator.integers(table.count, size=table.count))) for _ in range(_RESAMPLES)]
    return np.asarray(np.maximum(np.std(draws, axis=0), 1e-3))


def _ensemble(vector: Array, white: float, white_width: float, scrambled: float) -> TrapEnsemble:
    bounded = np.exp(np.clip(vector, _LOWEST, _HIGHEST))
    values = dict(zip(_NAMES, (float(value) for value in bounded), strict=True))
    values["longest"] = max(values["longest"], 3.0 * values["shortest"])
    return TrapEnsemble(**values, white=white, white_width=white_width, scrambled=scrambled)


def _search(cost: Callable[[Array], float], start: Array, evaluations: int, size: float) -> tuple[Array, float, int]:
    simplex = np.tile(start, (start.shape[0] + 1, 1))
    # number and level width move together, too: what the data confine best is their ratio, the active traps
    steps = np.diag([0.5, 0.4, 0.3, 0.8, 0.8, 0.4])
    steps[5, 0] = 0.4
    simplex[1:] += size * steps
    found = minimize(
        cost,
        start,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "maxfev": evaluations, "xatol": 0.01, "fatol": 1e-3, "adaptive": True},
    )
    return np.asarray(found.x), float(found.fun), int(found.nfev)


def fit_ensemble(
    table: CellTable,
    streams: Streams,
    *,
    address: tuple[int, ...] = (),
    cells: int = 360,
    evaluations: int = 320,
    scrambled: float = 1.0,
    start: TrapEnsemble | None = None,
) -> EnsembleFit:
    """Fit a trap ensemble to a population of cells.

    Args:
        table: measured cells, at least 20.
        streams: for the simulated cells and the bootstrap.
        address: below the streams' purpose.
        cells: simulated cells in the last part of the search; a third of them do before.
        evaluations: simulations in the whole search.
        scrambled: share of the traps that programming before the first read left in a random state (held fixed).
        start: where to begin; without it, at the best of several starts that follow from the cells' typical deviation.

    Raises:
        ArgumentError: fewer than 20 cells, or numbers that are not positive.
    """
    if table.count < _LEAST_CELLS:
        raise argument_error("table", f"have at least {_LEAST_CELLS} cells", table.count, "Fit single traces instead.")
    for name, value in (("cells", cells), ("evaluations", evaluations)):
        if not is_whole(value, 30):
            raise argument_error(name, "be a whole number, at least 30", value)
    target = moments(table)
    errors = moment_errors(table, streams.generator(Purpose.BOOTSTRAP, *address))
    white = float(np.median(table.white))
    white = white if white > 0.0 else 0.01 * float(np.median(table.deviation))
    positive = table.white[table.white > 0.0]
    white_width = float(np.std(np.log(positive))) if positive.shape[0] > 1 else 0.0

    def cost(number: int) -> Callable[[Array], float]:
        draws = draw_numbers(number, table.reads, streams, 1, *address)

        def value(vector: Array) -> float:
            outside = float(np.sum(np.maximum(0.0, np.maximum(_LOWEST - vector, vector - _HIGHEST)) ** 2))
            return _misfit(_ensemble(vector, white, white_width, scrambled), draws, table, target, errors) + outside

        return value

    if start is None:
        typical = float(np.median(table.deviation))
        starts = [
            np.log([number, typical * height, 0.9, 1.3, 30.0 * table.reads, width]) for number, height, width in _STARTS
        ]
    else:
        starts = [np.log([getattr(start, name) for name in _NAMES])]
    # coarse and wide first, then fine: few cells make a rough landscape, many make it slow
    rough, fine = cost(cells // 3), cost(cells)
    early = evaluations // 2
    found = [_search(rough, np.asarray(vector), early // len(starts), 1.0) for vector in starts]
    vector = min(found, key=lambda entry: entry[1])[0]
    second = _search(rough, vector, evaluations // 4, 0.6)
    third = _search(fine, second[0], evaluations // 4, 0.4)
    vector, misfit = third[0], third[1]
    near = (vector - _LOWEST < 0.02) | (_HIGHEST - vector < 0.02)
    return EnsembleFit(
        _ensemble(vector, white, white_width, scrambled),
        misfit,
        int(target.shape[0]),
        tuple(name for name, edge in zip(_NAMES, near, strict=True) if edge),
        sum(entry[2] for entry in (*found, second, third)),
    )


def _misfit(ensemble: TrapEnsemble, draws: Draws, table: CellTable, target: Array, errors: Array) -> float:
    simulated = cell_table(simulate_cells(ensemble, draws), table.averages)
    # the simulated population has its own sampling error, smaller by the root of the ratio of cells
    variance = errors**2 * (1.0 + table.count / simulated.count)
    return float(np.mean((moments(simulated) - target) ** 2 / variance))


@dataclass(frozen=True, slots=True)
class EnsembleIntervals:
    """What the bootstrap over cells says about a fitted ensemble.

    Attributes:
        names: parameters.
        low: 5 % quantile of each.
        high: 95 % quantile of each.
        log_error: standard deviation of each parameter's logarithm.
        correlation: of the logarithms, shape ``(parameters, parameters)``.
        samples: the refitted parameters, shape ``(refits, parameters)``.
    """

    names: tuple[str, ...]
    low: Array
    high: Array
    log_error: Array
    correlation: Array
    samples: Array


def ensemble_intervals(
    table: CellTable,
    fit: EnsembleFit,
    streams: Streams,
    *,
    address: tuple[int, ...] = (),
    refits: int = 12,
    cells: int = 360,
    evaluations: int = 100,
) -> EnsembleIntervals:
    """Refit the ensemble to cells drawn with replacement, with simulated cells that are new each time.

    Raises:
        ArgumentError: fewer than two refits, or as :func:`fit_ensemble`.
    """
    if not is_whole(refits, 2):
        raise argument_error("refits", "be a whole number, at least 2", refits)
    samples = []
    for k in range(refits):
        generator = streams.generator(Purpose.BOOTSTRAP, *address, 1, k)
        resampled = table.take(generator.integers(table.count, size=table.count))
        again = fit_ensemble(
            resampled,
            streams,
            address=(*address, 2, k),
            cells=cells,
            evaluations=evaluations,
            scrambled=fit.ensemble.scrambled,
            start=fit.ensemble,
        )
        samples.append([getattr(again.ensemble, name) for name in (*_NAMES, "traps_per_efold")])
    values = np.array(samples)
    logs = np.log(values)
    spread = logs.std(axis=0, ddof=1)
    scaled = (logs - logs.mean(axis=0)) / np.maximum(spread, 1e-12)
    return EnsembleIntervals(
        (*_NAMES, "traps_per_efold"),
        np.quantile(values, 0.05, axis=0),
        np.quantile(values, 0.95, axis=0),
        spread,
        scaled.T @ scaled / (refits - 1),
        values,
    )
