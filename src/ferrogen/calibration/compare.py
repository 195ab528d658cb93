"""Which of several laws describes the data: Akaike's criterion on all of them, and errors on what a fit did not see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ferrogen.calibration.fit import FitResult, Free, Residuals, fit
from ferrogen.calibration.validation import CrossValidation, cross_validate
from ferrogen.core.errors import ArgumentError

_CLOSE = 2.0  # differences of AIC below this do not tell two laws apart (Burnham and Anderson 2002, section 2.6)
_FEWER = 60  # evaluations with a part left out: the search begins near its end


@dataclass(frozen=True, slots=True)
class Law:
    """A law to be tried.

    Attributes:
        name: as it is shown.
        residuals: as for :func:`.fit.fit`; all laws that are compared must have the residuals of the same data.
        free: its parameters.
        starts: searches.
        evaluations: of the residuals in one search, at most; a law that the data do not need wanders along a valley.
    """

    name: str
    residuals: Residuals
    free: Sequence[Free]
    starts: int = 1
    evaluations: int = 300


@dataclass(frozen=True, slots=True)
class Tried:
    """A law that was fitted.

    Attributes:
        name: of the law.
        result: of the fit to all data.
        cross: errors on groups left out; None if a fit without one of them is impossible.
    """

    name: str
    result: FitResult
    cross: CrossValidation | None

    def record(self) -> dict[str, object]:
        """Return plain values for JSON."""
        cross = self.cross
        return self.result.record() | {
            "cross_validation": None
            if cross is None
            else {"groups": list(cross.groups), "rmse": list(cross.rmse), "pooled_rmse": cross.pooled}
        }


def try_laws(laws: Sequence[Law], groups: ArrayLike | None, generator: np.random.Generator) -> list[Tried]:
    """Fit every law and cross-validate it over the groups.

    Args:
        laws: to be tried.
        groups: label of each residual; None for no cross-validation.
        generator: of the further starts of the searches.

    Returns:
        The laws, the lowest AIC first (a law whose AIC is undefined last).
    """
    tried = []
    for law in laws:
        result = fit(law.residuals, law.free, starts=law.starts, generator=generator, most_evaluations=law.evaluations)
        cross = None
        if groups is not None:
            begin = [replace(item, start=result.values[item.name]) for item in law.free]
            try:
                cross = cross_validate(
                    law.residuals, begin, groups, most_evaluations=min(_FEWER, law.evaluations // 4), tolerance=1e-8
                )
            except ArgumentError:  # too few residuals, or groups: said as None
                cross = None
        tried.append(Tried(law.name, result, cross))
    return sorted(tried, key=lambda item: (math.isnan(item.result.aic), item.result.aic))


def verdict(tried: Sequence[Tried]) -> list[str]:
    """Return sentences: which law is best by either measure, and which cannot be told from it."""
    best = tried[0]
    close = [item.name for item in tried[1:] if item.result.aic - best.result.aic < _CLOSE]
    said = [f"By AIC the law is '{best.name}'" + (f", not told apart from {_and(close)}." if close else ".")]
    checked = [item for item in tried if item.cross is not None]
    if len(checked) == len(tried) > 1:
        least = min(checked, key=lambda item: item.cross.pooled if item.cross else math.inf)
        if least.name != best.name:
            said.append(f"On data left out of the fit '{least.name}' errs least: the choice is not safe.")
    return said


def simplest(tried: Sequence[Tried]) -> Tried:
    """Return the law with the fewest parameters among those that AIC does not tell from the best."""
    close = [item for item in tried if not item.result.aic - tried[0].result.aic >= _CLOSE]
    return min(close, key=lambda item: len(item.result.free))


def comparison(tried: Sequence[Tried]) -> list[dict[str, object]]:
    """Return one row a law: parameters, rmse, difference of AIC, error on data left out, whether the search ended."""
    least = tried[0].result.aic
    return [
        {
            "law": item.name,
            "parameters": len(item.result.free),
            "rmse": item.result.rmse,
            "aic_difference": item.result.aic - least,
            "left_out_rmse": None if item.cross is None else item.cross.pooled,
            "converged": item.result.converged,
            "last_group_rmse": None if item.cross is None else item.cross.rmse[-1],
        }
        for item in tried
    ]


def _and(names: Sequence[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)
