"""The limits that the measured 13 nm HfO2 capacitor is held to: one loop fitted, other rates and 127 C predicted.

Measured at the time of writing (``benchmarks/measured_switching.py``), rmse in uC/cm^2: fitted 0.39; predicted 1.09
(100 Hz, 4 V), 1.47 (500 Hz), 2.54 (1 kHz; 1.01 with a lag of its own), 2.06 (127 C). The lag of the instrument is what
limits the prediction at 1 kHz: it was fitted at 100 Hz, and the instrument's range differs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ferrogen.calibration.calibrate import calibrate
from ferrogen.calibration.samples import Sample

LOOPS = ("pv_100Hz_3V_31C", "pv_100Hz_4V", "pv_500Hz_4V", "pv_1000Hz_4V", "pv_100Hz_3V_127C")


def loops(measured: Path, **settings: Any) -> dict[str, dict[str, Any]]:
    folder = measured / "hfo2_capacitor"
    given = {"temperatures": "31 degC, 31 degC, 31 degC, 31 degC, 127 degC", **settings}
    found = calibrate(
        "loop", [folder / f"{name}.tsv" for name in LOOPS], sample=Sample(thickness=13e-9), settings=given
    )
    return {Path(item["name"]).stem: item for item in found.record["loops"]}


def leakage(measured: Path, *temperatures: int) -> str:
    folder = measured / "hfo2_capacitor"
    return "; ".join(f"{folder / f'leakage_{kelvin}C.tsv'} at {kelvin} degC" for kelvin in temperatures)


LIMITS = {
    "pv_100Hz_3V_31C": 0.45, "pv_100Hz_4V": 1.3, "pv_500Hz_4V": 1.8, "pv_1000Hz_4V": 3.0, "pv_100Hz_3V_127C": 2.5,
}  # fmt: skip


@pytest.mark.parametrize("model", ["domains", "preisach"])
def test_other_rates_amplitudes_and_temperatures_are_predicted(measured: Path, model: str) -> None:
    found = loops(measured, model=model, leakage=leakage(measured, 27, 127))
    for name, limit in LIMITS.items():
        assert found[name]["rmse"] <= limit, name
        assert found[name]["fitted"] == (name == LOOPS[0])
    assert found["pv_1000Hz_4V"]["rmse_own_lag"] <= 1.5
    measured_field, model_field = found["pv_1000Hz_4V"]["coercive_up_measured_model"]
    assert model_field == pytest.approx(measured_field, abs=0.3)
    if model == "domains":
        assert [round(found[name]["frequency"]) for name in LOOPS] == [100, 100, 500, 1000, 100]


def test_leakage_from_one_temperature_and_its_activation_energy(measured: Path) -> None:
    found = loops(measured, leakage=leakage(measured, 27), leakage_activation=0.28)
    assert found["pv_100Hz_3V_127C"]["rmse"] <= 3.5


def test_without_leakage_the_predictions_fail(measured: Path) -> None:
    found = loops(measured, leakage="none")
    assert found["pv_100Hz_3V_31C"]["rmse"] <= 0.5  # the loop alone does not tell: it is fitted as well
    assert found["pv_100Hz_3V_127C"]["rmse"] > 3.0 * LIMITS["pv_100Hz_3V_127C"]
