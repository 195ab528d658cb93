"""What carries the measured currents: activation energies, laws of leakage, and how good the compact read model is.

    python benchmarks/measured_currents.py FOLDER

FOLDER holds the measured data (`hfo2_capacitor/leakage_{27,127}C.tsv`, `tunnel_iv/iv.csv`; see PROVENANCE.md there).
Leakage of a 13 nm HfO2 capacitor (not HZO) at two temperatures and both polarities: eight laws by AIC and by errors on
voltages left out of the fit; the activation energy at each bias, with the instrument's offset kept and taken off, from
the table's median and from its single sweeps; the optical permittivity that Poole-Frenkel would need. Currents of an
undescribed tunnel device (five curves): rms error of ln I of the sinh with one voltage for all curves, one a curve, and
one a polarity, over growing ranges of voltage. Takes two minutes, most of them for tunnelling through single traps.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from timing import write_results

from ferrogen.calibration.calibrate import calibrate
from ferrogen.calibration.columns import parse_choices
from ferrogen.calibration.result import Calibration
from ferrogen.calibration.samples import Sample

SAMPLE = Sample(thickness=13e-9, area=6.579e-9)
READINGS = {
    "median, offset kept": ("Median Current Density", "keep"),
    "median, offset off": ("Median Current Density", "subtract"),
    "single sweeps, offset kept": ("Leakage Current Density", "keep"),
}
RANGES = (0.3, 0.5, 1.0, 2.0, 3.0)
LAWS = ("one voltage", "a voltage a curve", "a voltage a polarity")


def leakage(folder: Path, column: str, offset: str, single_traps: str = "no") -> Calibration:
    files = [folder / "hfo2_capacitor" / f"leakage_{celsius}C.tsv" for celsius in (27, 127)]
    return calibrate(
        "iv", files, columns=parse_choices([f"current = {column}"]), sample=SAMPLE,
        settings={"temperatures": "27 degC, 127 degC", "offset": offset, "single_traps": single_traps},
    )  # fmt: skip


def law_rows(result: Calibration) -> list[dict[str, Any]]:
    rows = []
    for bias, found in result.record["leakage"].items():
        for row in found["comparison"]:
            parameters = found["laws"][row["law"]]["parameters"]
            shown = "; ".join(
                f"{name} {item['value']:.3g} +- {item['standard_error']:.1g} {item['unit'].removesuffix('1')}".strip()
                for name, item in parameters.items()
                if item["standard_error"] is not None
            )
            rows.append({"bias": bias, **row, "fitted": shown})
    return rows


def energy_rows(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for reading, (column, offset) in READINGS.items():
        result = leakage(folder, column, offset)
        for bias, points in result.record["activation_energy_over_bias"].items():
            law = result.record["leakage"][bias]["laws"]["activated sinh"]["parameters"]["leakage_activation_energy"]
            rows.append(
                {
                    "reading": reading,
                    "bias": bias,
                    "fitted": law["value"],
                    "standard_error": law["standard_error"],
                    "over_bias": {f"{point['voltage']:.2f}": round(point["energy"], 4) for point in points},
                    "permittivities": [
                        {key: item[key] for key in ("temperature", "value", "standard_error")}
                        for item in result.record["apparent_permittivity"]
                        if (item["sign"] > 0) == (bias == "positive")
                    ],
                }
            )
    return rows


def compact_rows(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for largest in RANGES:
        result = calibrate(
            "iv", [folder / "tunnel_iv" / "iv.csv"], columns=parse_choices(["current = Current*"]),
            settings={"largest_voltage": largest},
        )  # fmt: skip
        item = result.fragment.sections[""]["characteristic_voltage"]
        found = {row["law"]: row for row in result.record["compact"]["comparison"]}
        states = result.record["compact"]["states"]
        rows.append(
            {
                "largest_voltage": largest,
                "characteristic_voltage": item.value,
                "standard_error": item.standard_error,
                "rms": {law: found[law]["rmse"] for law in LAWS},
                "left_out": {law: found[law]["left_out_rmse"] for law in LAWS},
                "on_conductance": states["on"]["median"],
                "off_conductance": states["off"]["median"],
                "on_curves": states["on"]["curves"],
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    laws = law_rows(leakage(folder, *READINGS["median, offset kept"], single_traps="yes"))
    print("| bias | law | parameters | rms of ln J | AIC less best | rms left out | fitted |")
    print("|---|---|---:|---:|---:|---:|---|")
    for row in laws:
        law = row["law"] + ("" if row["converged"] else " (search cut short)")
        print(
            f"| {row['bias']} | {law} | {row['parameters']} | {row['rmse']:.3f} | {row['aic_difference']:.1f} |"
            f" {row['left_out_rmse']:.3f} | {row['fitted']} |"
        )
    energies = energy_rows(folder)
    print("\n| reading | bias | activated sinh (eV) | eV at each voltage | Poole-Frenkel's permittivity |")
    print("|---|---|---:|---|---|")
    for row in energies:
        over = ", ".join(f"{energy:.3f} ({volt} V)" for volt, energy in row["over_bias"].items())
        needs = ", ".join(
            f"{item['value']:.1f} +- {item['standard_error']:.1f} ({item['temperature']:.0f} K)"
            for item in row["permittivities"]
        )
        fitted = f"{row['fitted']:.3f} +- {row['standard_error']:.3f}"
        print(f"| {row['reading']} | {row['bias']} | {fitted} | {over} | {needs} |")
    compact = compact_rows(folder)
    print("\n| up to (V) | V0 (V) | on, off (S) | " + " | ".join(f"rms of ln I, {law}" for law in LAWS) + " |")
    print("|---:|---:|---|" + "---:|" * len(LAWS))
    for row in compact:
        print(
            f"| {row['largest_voltage']:g} | {row['characteristic_voltage']:.3f} +- {row['standard_error']:.3f} |"
            f" {row['on_conductance']:.3g}, {row['off_conductance']:.3g} | "
            + " | ".join(f"{row['rms'][law]:.3f}" for law in LAWS)
            + " |"
        )
    write_results("measured_currents", laws, activation_energy=energies, compact=compact)


if __name__ == "__main__":
    main()
