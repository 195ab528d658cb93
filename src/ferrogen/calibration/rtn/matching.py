"""Fitting a trap ensemble: simulate cells, reduce them as the measured cells are reduced, and match.

Matched are the quantiles over the cells of ln(deviation), the mean spectrum and its slope, and quartiles over the cells
of the decay under averaging and of ln(tail); each difference counts in units of its bootstrap error over the measured
cells (simulated method of moments, McFadden, Econometrica 57, 995 (1989), doi:10.2307/1913621). The white noise is
taken from the differences of successive reads beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

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


def _moment_samples(table: CellTable, generator: np.random.Generator) -> Array:
    cells = (generator.integers(table.count, size=table.count) for _ in range(_RESAMPLES))
    return np.array([moments(table.take(index)) for index in cells])


def moment_errors(table: CellTable, generator: np.random.Generator) -> Array:
    """Return the bootstrap standard errors, over the cells, of :func:`moments`."""
    return np.asarray(np.maximum(np.std(_moment_samples(table, generator), axis=0), 1e-3))


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
    """How surely an ensemble is known.

    Attributes:
        names: parameters.
        low: lower end of the 90 % interval of each.
        high: upper end.
        log_error: standard error of each parameter's logarithm.
        correlation: of the logarithms, shape ``(parameters, parameters)``.
    """

    names: tuple[str, ...]
    low: Array
    high: Array
    log_error: Array
    correlation: Array


def ensemble_intervals(
    table: CellTable,
    fit: EnsembleFit,
    streams: Streams,
    *,
    address: tuple[int, ...] = (),
    cells: int = 1000,
    searches: int = 3,
) -> EnsembleIntervals:
    """Return standard errors from the bootstrap covariance, over the cells, of the matched numbers.

    The covariance is carried over by the derivatives of the simulated numbers (Gourieroux, Monfort & Renault, J. Appl.
    Econom. 8, S85 (1993), doi:10.1002/jae.3950080507). Where the data say nothing the search's own range, taken as a
    uniform prior, limits the error: an error of a third of the range means not identified. Derivatives are local, and
    ensembles far apart may fit alike: so the covariance of the ends of further searches, with other simulated cells, is
    added.

    Args:
        table: the cells that were fitted.
        fit: what was found.
        streams: for the bootstrap and the simulated cells.
        address: below the streams' purpose.
        cells: simulated cells for the derivatives.
        searches: further searches, at least one.

    Raises:
        ArgumentError: fewer than 30 simulated cells, or no further search.
    """
    if not is_whole(searches, 1):
        raise argument_error("searches", "be a whole number, at least 1", searches)
    if not is_whole(cells, 30):
        raise argument_error("cells", "be a whole number, at least 30", cells)
    samples = _moment_samples(table, streams.generator(Purpose.BOOTSTRAP, *address, 1))
    errors = np.maximum(samples.std(axis=0), 1e-3)
    draws = draw_numbers(cells, table.reads, streams, 2, *address)
    ensemble = fit.ensemble
    vector = np.log([getattr(ensemble, name) for name in _NAMES])

    def numbers(shifted: Array) -> Array:
        # one that lies on a bound is moved beyond it: the bound is the search's, not the model's
        values = dict(zip(_NAMES, (float(value) for value in np.exp(shifted)), strict=True))
        own = replace(ensemble, **values)
        return moments(cell_table(simulate_cells(own, draws), table.averages))

    columns = []
    for k in range(vector.shape[0]):
        # wide enough that the roughness of a thousand cells does not count
        step = np.zeros(vector.shape[0])
        step[k] = 0.2
        columns.append((numbers(vector + step) - numbers(vector - step)) / 0.4)
    jacobian = np.stack(columns, axis=1) / errors[:, None]
    prior = np.diag(12.0 / (_HIGHEST - _LOWEST) ** 2)
    inverse = np.linalg.inv(jacobian.T @ jacobian + prior)
    spread = np.cov(samples.T / errors[:, None]) * (1.0 + table.count / cells)
    # misfit beyond the errors widens them, as in any fit of a model that is not quite true
    scale = max(1.0, fit.misfit)
    matrix = inverse @ (scale * jacobian.T @ spread @ jacobian + prior) @ inverse
    others = [
        fit_ensemble(table, streams, address=(*address, 3, k), scrambled=ensemble.scrambled).ensemble
        for k in range(searches)
    ]
    ends = np.array([vector, *(np.log([getattr(other, name) for name in _NAMES]) for other in others)])
    matrix = matrix + np.cov(ends.T)
    # traps per factor e: ln N - ln ln(longest / shortest)
    width = float(np.log(ensemble.longest / ensemble.shortest))
    extra = np.array([1.0, 0.0, 0.0, 1.0 / width, -1.0 / width, 0.0])
    transform = np.concatenate([np.eye(vector.shape[0]), extra[None]])
    full = transform @ matrix @ transform.T
    log_error = np.sqrt(np.diagonal(full))
    centre = np.append(vector, np.log(ensemble.traps_per_efold))
    return EnsembleIntervals(
        (*_NAMES, "traps_per_efold"),
        np.exp(centre - 1.645 * log_error),
        np.exp(centre + 1.645 * log_error),
        log_error,
        full / np.outer(log_error, log_error),
    )
