"""When will a slowly decaying quantity reach a criterion? A law is fitted to a curve and carried on, with an interval.

Curves of retention and endurance are monotonic and short: the end of life lies decades beyond the last point. What the
interval says is how well the points fix the law, not whether the law goes on; so two laws should be compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from ferrogen.core.errors import argument_error
from ferrogen.device.reliability.arrhenius import counts, from_logarithm
from ferrogen.device.reliability.lifetime import Interval

Decay = Literal["stretched", "power", "logarithmic"]

_LARGEST = 600.0


def decay_curve(law: Decay, log_time: NDArray[np.float64], parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the value of a law at ln t.

    ``stretched``: exp(a - exp[b (ln t - c)]) with parameters (a, ln b, c). ``power``: exp(a - b ln t), (a, b).
    ``logarithmic``: a - b ln t, (a, b).
    """
    if law == "stretched":
        a, log_b, c = parameters
        power = np.minimum(math.exp(min(log_b, 20.0)) * (log_time - c), _LARGEST)
        return np.asarray(np.exp(np.clip(a, -_LARGEST, _LARGEST) - np.exp(power)))
    a, b = parameters
    line = a - b * log_time
    return np.asarray(np.exp(np.clip(line, -_LARGEST, _LARGEST)) if law == "power" else line)


@dataclass(frozen=True, slots=True)
class DecayFit:
    """A law fitted to a decaying curve by least squares.

    Attributes:
        law: which.
        parameters: see :func:`decay_curve`.
        covariance: of them.
        residual: root mean square of what is left, in the curve's unit.
        freedom: points less parameters.
        last: last time of the curve [s or cycles].
    """

    law: Decay
    parameters: NDArray[np.float64]
    covariance: NDArray[np.float64]
    residual: float
    freedom: int
    last: float


@dataclass(frozen=True, slots=True)
class CriterionReached:
    """When a criterion is reached.

    Attributes:
        time: with its interval [s or cycles].
        decades_beyond: how many decades beyond the last point that lies; negative within the data.
        extrapolation: one sentence if it lies beyond, else "".
    """

    time: Interval
    decades_beyond: float
    extrapolation: str


def fit_decay(time: ArrayLike, value: ArrayLike, law: Decay = "stretched") -> DecayFit:
    """Fit a law to a curve that decays in time, or in cycles.

    Args:
        time: [s] or cycles [1], positive, shape ``(points,)``.
        value: of the decaying quantity, positive, in any unit, same shape.
        law: ``stretched``, ``power`` or ``logarithmic``.

    Raises:
        ArgumentError: a wrong shape or value, too few points, or no fit.
    """
    if law not in ("stretched", "power", "logarithmic"):
        raise argument_error("law", "be 'stretched', 'power' or 'logarithmic'", repr(law))
    times, values = counts("time", time, "s", positive=True), counts("value", value, "of the curve", positive=True)
    least = 5 if law == "stretched" else 4
    if times.ndim != 1 or values.shape != times.shape or times.size < least:
        raise argument_error("value", f"have at least {least} points and the shape of the times", values.shape)
    logs = np.log(times)
    if np.ptp(logs) == 0.0:
        raise argument_error("time", "differ between points", f"{times[0]:g} for all of them")
    top = float(values.max())
    scaled = values / top
    if law == "stretched":
        # ln(-ln) of the values is a straight line in ln t: that is where to begin.
        lost = np.log(-np.log(np.clip(scaled / 1.02, 1e-6, 1.0 - 1e-6)))
        slope, cut = np.polyfit(logs, lost, 1)
        slope = max(float(slope), 0.02)
        start = np.array([0.02, math.log(slope), float(np.mean(logs - lost / slope))])
    elif law == "power":
        slope, cut = np.polyfit(logs, np.log(scaled), 1)
        start = np.array([float(cut), -float(slope)])
    else:
        slope, cut = np.polyfit(logs, scaled, 1)
        start = np.array([float(cut), -float(slope)])

    def left(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        return decay_curve(law, logs, parameters) - scaled

    result = optimize.least_squares(left, start.tolist(), x_scale="jac", max_nfev=5000)
    jacobian = np.asarray(result.jac, dtype=np.float64)
    information = jacobian.T @ jacobian
    if not result.success or np.linalg.cond(information) > 1e14:
        raise argument_error("value", "fix the parameters of the law", "a curve that does not", "Try a simpler law.")
    freedom = times.size - start.size
    mean_square = float(np.sum(result.fun**2)) / freedom
    parameters = np.asarray(result.x, dtype=np.float64)
    covariance = np.linalg.inv(information) * mean_square
    stretch = np.ones(start.size)
    if law == "logarithmic":
        stretch[:] = top
    else:
        parameters[0] += math.log(top)
    return DecayFit(
        law=law,
        parameters=parameters * stretch,
        covariance=covariance * np.outer(stretch, stretch),
        residual=math.sqrt(float(np.mean(result.fun**2))) * top,
        freedom=freedom,
        last=float(times.max()),
    )


def time_to_criterion(fit: DecayFit, criterion: float, level: float = 0.95) -> CriterionReached:
    """Return when the fitted law reaches ``criterion`` (in the curve's unit), with an interval in ln t.

    The delta method with Student's t for the points' number.

    Raises:
        ArgumentError: the law never reaches it, or a value out of range.
    """
    if not 0.0 < level < 1.0:
        raise argument_error("level", "lie between 0 and 1", level)
    moment = _log_time(fit.law, fit.parameters, criterion)
    gradient = np.empty(fit.parameters.size)
    for k in range(gradient.size):
        step = np.zeros(gradient.size)
        step[k] = 1e-6 * max(1.0, abs(float(fit.parameters[k])))
        rise = _log_time(fit.law, fit.parameters + step, criterion) - _log_time(
            fit.law, fit.parameters - step, criterion
        )
        gradient[k] = rise / (2.0 * step[k])
    deviation = math.sqrt(max(float(gradient @ fit.covariance @ gradient), 0.0))
    reach = float(stats.t.isf((1.0 - level) / 2.0, fit.freedom)) * deviation
    times = [from_logarithm(y, "criterion", criterion, "s") for y in (moment, moment - reach, moment + reach)]
    beyond = (moment - math.log(fit.last)) / math.log(10.0)
    sentence = (
        f"The criterion lies {beyond:.1f} decades beyond the last point ({fit.last:g}): the law is extrapolated."
        if beyond > 0.0
        else ""
    )
    return CriterionReached(Interval(times[0], times[1], times[2], level), beyond, sentence)


def _log_time(law: Decay, parameters: NDArray[np.float64], criterion: float) -> float:
    if not math.isfinite(criterion) or (criterion <= 0.0 and law != "logarithmic"):
        raise argument_error("criterion", "be a positive, finite value of the curve", criterion)
    if law == "stretched":
        a, log_b, c = (float(p) for p in parameters)
        loss = a - math.log(criterion)
        if loss <= 0.0:
            raise argument_error("criterion", f"lie below the law's beginning, {math.exp(a):g}", f"{criterion:g}")
        return c + math.log(loss) * math.exp(-log_b)
    a, b = (float(p) for p in parameters)
    if b <= 0.0:
        raise argument_error(
            "criterion", "be reached by a falling curve", f"{criterion:g}, and the curve does not fall"
        )
    return (a - (math.log(criterion) if law == "power" else criterion)) / b
