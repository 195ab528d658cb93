"""Do the intervals of the calibrations cover the truth as often as they say?

    python benchmarks/calibration_coverage.py [--repeats 400]

Synthetic data with known parameters are fitted by the kinds `retention`, `endurance`, `iv` and `pulses`; the share of
95 % intervals that hold the truth has a standard error of 1.1 % at 400 repeats. "Forecast" is the value after ten years
over the first, from the drawn parameters; "shape" and "scale" are those of a Weibull law from 40 junctions, of which a
quarter live on at the end of the test.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from timing import write_results

from ferrogen.calibration.derived import Draws, derived_interval
from ferrogen.calibration.endurance import curves as endurance
from ferrogen.calibration.fit import fit
from ferrogen.calibration.iv.compact import compact_laws
from ferrogen.calibration.iv.curves import Curve as CurrentCurve
from ferrogen.calibration.iv.curves import CurveSet as CurrentSet
from ferrogen.calibration.iv.leakage import leakage_laws
from ferrogen.calibration.pulses.noise import fit_noise, repeats_of
from ferrogen.calibration.retention.curves import Curve, CurveSet
from ferrogen.calibration.retention.laws import predict, reference_time, retention_laws
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.reliability.lifetime import failures, fit_lifetime, life_interval

Array = NDArray[np.float64]
Hits = Iterator[tuple[str, bool]]

KELVIN_EV = 8.617333262e-5
TEN_YEARS = 3.15576e8


def retention(generator: np.random.Generator) -> Hits:
    truth = {"retention_time": 1e12, "retention_exponent": 0.35, "activation_energy": 1.1}
    time = np.logspace(1.0, 5.0, 24)
    curves = []
    for kelvin in (358.0, 398.0, 423.0):
        tau = 1e12 * np.exp(1.1 / KELVIN_EV * (1.0 / kelvin - 1.0 / 300.0))
        value = 0.2 * np.exp(-((time / tau) ** 0.35)) * np.exp(0.01 * generator.standard_normal(time.size))
        curves.append(Curve("", kelvin, time, value[:, None], value))
    law = next(
        law
        for law in retention_laws(CurveSet(tuple(curves), "S", True, ()), own=False, activation_energy=None)
        if law.name == "stretched"
    )
    result = fit(law.residuals, law.free)
    for name, value in truth.items():
        interval = result.interval(name)
        yield name, interval.low <= value <= interval.high
    reference, ends = reference_time(curves), np.array([time[0], TEN_YEARS])

    def kept(draws: Draws) -> Array:
        rows = np.column_stack(list(draws.values())).tolist()
        found = [predict("stretched", dict(zip(draws, row, strict=True)), 1.0, ends, 358.0, reference) for row in rows]
        return np.array([end / begin for begin, end in found])

    interval = derived_interval(result, kept, generator, count=400)
    tau = 1e12 * np.exp(1.1 / KELVIN_EV * (1.0 / 358.0 - 1.0 / 300.0))
    true = float(np.exp((time[0] / tau) ** 0.35 - (TEN_YEARS / tau) ** 0.35))
    yield "forecast", interval.low <= true <= interval.high


def cycling(generator: np.random.Generator) -> Hits:
    truth = {"wake_up_share": 0.3, "wake_up_cycles": 1e3, "wake_up_exponent": 0.6, "fatigue_cycles": 1e8,
             "fatigue_exponent": 0.8}  # fmt: skip
    cycles = np.logspace(0.0, 9.0, 40)
    value = 0.2 * (1.0 - 0.3 * np.exp(-((cycles / 1e3) ** 0.6))) / (1.0 + (cycles / 1e8) ** 0.8)
    value = value + 5e-4 * generator.standard_normal(40)
    law = endurance.endurance_laws([endurance.Curve("", 300.0, cycles, value[:, None], value)], "C/m^2", None)[-1]
    result = fit(law.residuals, law.free)
    for name, true in truth.items():
        interval = result.interval(name)
        yield name, interval.low <= true <= interval.high


def breakdown(generator: np.random.Generator) -> Hits:
    time = 100.0 * generator.weibull(1.5, 40)
    end = 100.0 * np.log(4.0) ** (1.0 / 1.5)  # a quarter lives longer
    law = fit_lifetime(failures(np.minimum(time, end), time <= end))
    life = life_interval(law, 1.0 - np.exp(-1.0))
    yield "scale", life.low <= 100.0 <= life.high
    yield "shape", bool(abs(np.log(1.5 * law.scale)) < 1.959964 * np.sqrt(law.covariance[1, 1]))


def currents(generator: np.random.Generator) -> Hits:
    volts = np.concatenate([np.linspace(-1.5, -0.1, 15), np.linspace(0.1, 1.5, 15)])
    curves = [
        CurrentCurve(
            "", 300.0, volts, g * 0.4 * np.sinh(volts / 0.4) * np.exp(0.1 * generator.standard_normal(30)), 0, False
        )
        for g in (1e-9, 3e-9)
    ]
    law = compact_laws(curves)[0]
    interval = fit(law.residuals, law.free).interval("characteristic_voltage")
    yield "characteristic_voltage", interval.low <= 0.4 <= interval.high
    volts = np.linspace(0.3, 3.0, 10)
    hot = [
        CurrentCurve(
            "", kelvin, volts,
            0.1 * np.sinh(volts / 0.5) * np.exp(-0.3 / KELVIN_EV * (1.0 / kelvin - 1.0 / 300.0))
            * np.exp(0.1 * generator.standard_normal(10)), 0, False,
        )
        for kelvin in (300.0, 350.0, 400.0)
    ]  # fmt: skip
    law = leakage_laws(CurrentSet(tuple(hot), "A/m^2", 1.0), 1.0, 1e-8, 4.5)[0][0]
    interval = fit(law.residuals, law.free).interval("leakage_activation_energy")
    yield "leakage_activation_energy", interval.low <= 0.3 <= interval.high


def noise(generator: np.random.Generator) -> Hits:
    curve = np.expm1(-np.arange(41) / 16.0) / np.expm1(-2.5)
    steps = np.diff(curve)
    moved = steps + 0.05 * np.sqrt(steps) * generator.standard_normal((10, 40))
    paths = np.concatenate([np.zeros((10, 1)), np.cumsum(moved, axis=1)], axis=1)
    found = fit_noise([repeats_of(paths + 0.003 * generator.standard_normal(paths.shape), 1.0)])
    yield "switching_noise", abs(found.switching - 0.05) < 1.959964 * found.switching_error
    yield "reading noise", abs(found.reading - 0.003) < 1.959964 * found.reading_error


KINDS: dict[str, Callable[[np.random.Generator], Hits]] = {
    "retention": retention,
    "endurance": cycling,
    "endurance, breakdown": breakdown,
    "iv": currents,
    "pulses": noise,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=400)
    repeats: int = parser.parse_args().repeats
    rows: list[dict[str, Any]] = []
    for k, (kind, draw) in enumerate(KINDS.items()):
        count: dict[str, int] = {}
        for seed in range(repeats):
            for name, hit in draw(Streams(31).generator(Purpose.SYNTHETIC_DATA, k, seed)):
                count[name] = count.get(name, 0) + bool(hit)
        rows += [{"kind": kind, "parameter": name, "covered": hits / repeats} for name, hits in count.items()]
    print("| kind | parameter | 95 % intervals that hold the truth (%) |")
    print("|---|---|---:|")
    for row in rows:
        print(f"| {row['kind']} | {row['parameter']} | {100 * row['covered']:.1f} |")
    write_results("calibration_coverage", rows, repeats=repeats)


if __name__ == "__main__":
    main()
