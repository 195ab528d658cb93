"""How well does the calibration describe, and above all predict, what others measured on hafnia capacitors?

python benchmarks/measured_switching.py FOLDER

FOLDER is that of the measured data (``hzo_switching``, ``hfo2_capacitor`` in it). Prints, as Markdown tables: the fit
of 150 pulses by five laws, each with its error on amplitudes it did not see; the charge under two waveforms, each
predicted from the other; the loops of a 13 nm HfO2 capacitor, calibrated on one and predicted at other frequencies,
amplitudes and a temperature. Everything goes through the public ``calibrate``; residuals are in uC/cm^2. One minute.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from timing import write_results

from ferrogen.calibration.calibrate import calibrate
from ferrogen.calibration.columns import parse_choices
from ferrogen.calibration.result import Calibration, jsonable
from ferrogen.calibration.samples import Sample

PULSES = parse_choices(["pulse_width = pw [s]", "amplitude = amp [V]", "polarization = Pr [uC/cm^2]"])
WAVES = parse_choices(["time = t [s]", "voltage = V [V]", "charge = Q [C/cm^2]"])
HZO, HFO2 = Sample(thickness=10e-9), Sample(thickness=13e-9)
LOOPS = ("pv_100Hz_3V_31C", "pv_100Hz_4V", "pv_500Hz_4V", "pv_1000Hz_4V", "pv_100Hz_3V_127C")
TEMPERATURES = "31 degC, 31 degC, 31 degC, 31 degC, 127 degC"


def table(title: str, header: list[str], rows: list[list[str]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def pulses(folder: Path) -> tuple[Calibration, list[dict[str, Any]]]:
    found = calibrate("switching", [folder / "P_pw_our_own.csv"], columns=PULSES, sample=HZO, source="deng-2020")
    rows = [
        {
            "part": "pulses", "law": item["title"], "nucleation_exponent": item["nucleation_exponent"],
            "rmse": item["fit"]["rmse"], "aic": item["fit"]["aic"],
            "rmse_left_out_amplitudes": item["left_out_amplitudes"]["pooled_rmse"],
            "values": {key: value["value"] for key, value in item["fit"]["parameters"].items()},
        }
        for item in found.record["comparison"]
    ]  # fmt: skip
    table(
        "150 pulses on 10 nm HZO",
        ["law", "nucleation exponent", "rmse", "AIC", "rmse on amplitudes left out"],
        [
            [row["law"], str(row["nucleation_exponent"]), f"{row['rmse']:.3f}", f"{row['aic']:.1f}",
             f"{row['rmse_left_out_amplitudes']:.2f}"]
            for row in rows
        ],
    )  # fmt: skip
    fitted, jackknife = found.record["fit"]["parameters"], found.record["jackknife_standard_errors"]
    table(
        "Log-normal, nucleation exponent 2: the card's parameters",
        ["parameter", "value", "standard error (residuals)", "standard error (amplitudes left out)", "unit"],
        [
            [key, f"{item['value']:.4g}", f"{item['standard_error']:.2g}", f"{jackknife[key]:.2g}", item["unit"]]
            for key, item in fitted.items()
        ],
    )
    held: list[dict[str, Any]] = []
    for bias in (0.0, 0.1, 0.2, 0.3):
        other = calibrate(
            "switching", [folder / "P_pw_our_own.csv"], columns=PULSES, sample=HZO,
            settings={"compare": "no", "bias_deviation": bias * 1e8},
        )  # fmt: skip
        values = {key: item["value"] for key, item in other.record["fit"]["parameters"].items()}
        held.append({"part": "bias", "bias_deviation": bias * 1e8, **other.goodness, "values": values})
    table(
        "The same law with the local bias of the domains held at a standard deviation",
        ["bias (MV/cm)", "rmse", "rmse on amplitudes left out", "activation field (MV/cm)", "its width"],
        [
            [f"{row['bias_deviation'] / 1e8:.1f}", f"{row['rmse [uC/cm^2]']:.2f}",
             f"{row['rmse on amplitudes left out [uC/cm^2]']:.2f}", f"{row['values']['activation_field'] / 1e8:.3f}",
             f"{row['values']['activation_width']:.3f}"]
            for row in held
        ],
    )  # fmt: skip
    return found, rows + held


def waveforms(folder: Path, kinetics: dict[str, float]) -> list[dict[str, Any]]:
    paths = [folder / f"MFM_scheme{k}.csv" for k in (1, 2)]
    variants: list[tuple[str, dict[str, str | float]]] = [
        ("kinetics of the pulses", dict(kinetics)),
        ("kinetics of the pulses, Markov domains", {**kinetics, "nucleation_exponent": "1"}),
        ("default kinetics", {}),
        ("field exponent 2", {**kinetics, "field_exponent": 2.0}),
        ("field exponent 5", {**kinetics, "field_exponent": 5.0}),
        ("kinetics free", {**kinetics, "kinetics": "free"}),
    ]
    rows = []
    for name, settings in variants:
        for order in ((0, 1), (1, 0)):
            files = [paths[k] for k in order]
            found = calibrate(
                "waveform", files, columns=WAVES, sample=HZO, source="deng-2020", settings={**settings, "fitted": 1}
            )
            first, second = found.record["records"]
            values = {key: item["value"] for key, item in found.record["fit"]["parameters"].items()}
            rows.append(
                {
                    "part": "waveforms", "variant": name, "fitted": first["name"], "predicted": second["name"],
                    "rmse_fitted": first["rmse"], "rmse_predicted": second["rmse"],
                    "rmse_predicted_own_offset": second["rmse_own_offset"], "worst_predicted": second["worst"],
                    "rmse_left_out_pieces": found.goodness["rmse on pieces left out [uC/cm^2]"],
                    "error_by_thinning": found.record["error_by_thinning [uC/cm^2]"], "values": values,
                }
            )  # fmt: skip
    table(
        "Charge under waveforms with minor loops, 10 nm HZO (range of the data 62 uC/cm^2)",
        ["variant", "fitted", "predicted", "rmse fitted", "rmse predicted", "with own offset", "worst",
         "pieces left out"],
        [
            [row["variant"], row["fitted"], row["predicted"], f"{row['rmse_fitted']:.2f}",
             f"{row['rmse_predicted']:.2f}", f"{row['rmse_predicted_own_offset']:.2f}", f"{row['worst_predicted']:.1f}",
             f"{row['rmse_left_out_pieces']:.2f}"]
            for row in rows
        ],
    )  # fmt: skip
    return rows


def loops(folder: Path) -> list[dict[str, Any]]:
    paths = [folder / f"{name}.tsv" for name in LOOPS]
    cold = f"{folder / 'leakage_27C.tsv'} at 27 degC"
    both = f"{cold}; {folder / 'leakage_127C.tsv'} at 127 degC"
    variants: list[tuple[str, dict[str, str | float]]] = [
        ("domains, leakage measured at 27 and 127 C", {"leakage": both}),
        ("domains, leakage at 27 C and 0.28 eV", {"leakage": cold, "leakage_activation": 0.28}),
        ("domains, leakage left out", {"leakage": "none"}),
        ("domains, no lag", {"leakage": both, "lag": "none"}),
        ("domains, Markov", {"leakage": both, "nucleation_exponent": "1"}),
        ("Preisach, leakage measured", {"leakage": both, "model": "preisach"}),
    ]
    rows = []
    for name, settings in variants:
        found = calibrate(
            "loop", paths, sample=HFO2, source="ferro-anderson", settings={**settings, "temperatures": TEMPERATURES}
        )
        rows += [{"part": "loops", "variant": name, **item} for item in found.record["loops"]]
    table(
        "Loops of 13 nm HfO2, calibrated on the first (100 Hz, 3 V, 31 C) alone",
        ["variant", "loop", "rmse", "of a span of", "rmse with a lag of its own", "own lag (us)", "Vc+ data/model (V)",
         "Vc- data/model (V)"],
        [
            [row["variant"], f"{row['name']}{' (fitted)' if row['fitted'] else ''}", f"{row['rmse']:.2f}",
             f"{row['span']:.1f}", _shown(row["rmse_own_lag"], 1.0, 2), _shown(row["own_lag"], 1e6, 0),
             "/".join(f"{value:.2f}" for value in row["coercive_up_measured_model"]),
             "/".join(f"{value:.2f}" for value in row["coercive_down_measured_model"])]
            for row in rows
        ],
    )  # fmt: skip
    return rows


def _shown(value: float, factor: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{factor * value:.{digits}f}"


def main() -> None:
    folder = Path(sys.argv[1])
    found, rows = pulses(folder / "hzo_switching")
    fitted = found.record["fit"]["parameters"]
    kinetics = {name: float(fitted[name]["value"]) for name in ("attempt_time", "field_exponent")}
    rows += waveforms(folder / "hzo_switching", kinetics)
    rows += loops(folder / "hfo2_capacitor")
    write_results("measured_switching", jsonable(rows), unit="uC/cm^2 where nothing else is said")


if __name__ == "__main__":
    main()
