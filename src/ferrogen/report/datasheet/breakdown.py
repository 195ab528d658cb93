"""Dielectric breakdown: Weibull plot, life against voltage, and an extrapolation with its interval."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose
from ferrogen.device.reliability.breakdown import Breakdown, breakdown_of, characteristic_life, draw_breakdown, life_at
from ferrogen.device.reliability.lifetime import failures, fit_lifetime, life_interval
from ferrogen.device.reliability.spec import ReliabilitySpec
from ferrogen.report.datasheet.disturb import YEARS
from ferrogen.report.datasheet.page import Array, Axis, Content, Curve, Mark, Page, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.style import HIGH

_TESTED = 40  # junctions of a simulated test
_FEW = 1e-4  # failed share that counts at use
_SHARES = np.geomspace(1e-4, 0.999, 61)
_STRESS = (1.0, 0.92, 0.84)  # of the breakdown voltage


def _weibit(share: NDArray[np.floating[Any]]) -> Array:
    return np.asarray(np.log(-np.log1p(-share)))


def _life(law: Breakdown, voltage: float, temperature: float) -> float:
    try:
        return characteristic_life(law, voltage, temperature)
    except ArgumentError:  # beyond any float: it lasts for ever
        return math.inf


def _make(subject: Subject) -> Content:
    law, now = breakdown_of(subject.card), subject.temperature
    curves: list[Curve] = []
    for k, part in enumerate(_STRESS):
        voltage = float(f"{part * law.voltage:.3g}")
        life = _life(law, voltage, now)
        name = "breakdown voltage" if part == 1.0 else f"{part:g} of it"
        times = life * (-np.log1p(-_SHARES)) ** (1.0 / law.shape)
        drawn = np.sort(draw_breakdown(law, _TESTED, subject.streams.generator(Purpose.BREAKDOWN, k), life))
        rank = (np.arange(_TESTED) + 0.7) / (_TESTED + 0.4)  # median ranks, Benard's approximation
        curves.append(curve(name, times, _weibit(_SHARES), colour=k, shown=f"{voltage:g} V"))
        curves.append(curve(f"{name}, drawn", drawn, _weibit(rank), colour=k, style="points", legend=False))
    fit = fit_lifetime(failures(draw_breakdown(
        law, _TESTED, subject.streams.generator(Purpose.BREAKDOWN, 0), _life(law, law.voltage, now)
    )))  # fmt: skip
    interval = life_interval(fit, _FEW)
    use = subject.card.default_sample_voltage
    volts = np.linspace(min(0.5 * use, 0.3 * law.voltage), 1.1 * law.voltage, 41)
    time = Axis("Time under voltage", "s", logarithmic=True)
    hot = subject.temperatures()
    panels = [
        Plot(
            "weibull", f"Weibull plot at {now:g} K",
            f"ln(-ln(1 - F)) of the failed share F under constant voltage. Lines: the card's law; circles: {_TESTED}"
            " junctions drawn from it for each voltage, at median ranks: a test of that size scatters so. 0 is 63 %"
            " failed, -4.6 is 1 %.",
            time, Axis("Weibit", "1"), curves, marks=(Mark(0.0, "63 %", across=True), Mark(-4.6, "1 %", across=True)),
        ),
        Plot(
            "life", "Life against voltage",
            f"Time by which {_FEW:g} of the junctions have failed, exponential in the voltage and thermally activated;"
            f" cells of {1e18 * law.area:.3g} nm². Far below the voltages at which hafnia is tested the exponential"
            " law is the pessimistic one of those in use.",
            Axis("Voltage", "V"), time,
            [
                curve(f"{t:g} K", volts, [_failed(law, float(v), t) for v in volts]) for t in hot
            ],
            ordered=True, marks=(Mark(YEARS, "10 years", across=True), Mark(use, f"sample {use:g} V", HIGH)),
        ),
    ]  # fmt: skip
    key: dict[str, Any] = {
        "characteristic_life_at_breakdown_voltage": quantity(_life(law, law.voltage, now), "s", f"{law.voltage:g} V"),
        "weibull_shape": quantity(law.shape, "1", "of the card"),
        "life_at_sample_voltage": quantity(_failed(law, use, now), "s", f"{_FEW:g} failed, {use:g} V, {now:g} K"),
        "life_at_sample_voltage_hot": quantity(_failed(law, use, hot[-1]), "s", f"likewise, {hot[-1]:g} K"),
        "voltage_of_ten_years": quantity(_voltage_for(law, now), "V", f"{_FEW:g} failed after 10 years, {now:g} K"),
        "fitted_life_low": quantity(
            interval.low, "s", f"{_FEW:g} failed at {law.voltage:g} V: lower 95 % bound, from {_TESTED} drawn junctions"
        ),
        "fitted_life_high": quantity(interval.high, "s", "upper bound of the same"),
    }
    said = subject.outside("program_voltage", "stress voltage", 1.1 * law.voltage)
    return Content(panels, key, said, columns=1)


def _failed(law: Breakdown, voltage: float, temperature: float) -> float:
    life = _life(law, voltage, temperature)
    return life_at(law, _FEW, life) if math.isfinite(life) else math.nan


def _voltage_for(law: Breakdown, temperature: float) -> float:
    """Return the voltage at which the wanted share has failed after ten years: the law is exponential in it."""
    if law.acceleration == 0.0:
        return math.nan
    at = _failed(law, law.voltage, temperature)
    return law.voltage + math.log(at / YEARS) / law.acceleration


PAGE = Page("breakdown", "Breakdown", (ReliabilitySpec,), _make)
