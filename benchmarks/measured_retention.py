"""How far do programmed cells drift in a bake, level by level, and how heavy are the tails?

    python benchmarks/measured_retention.py FOLDER

FOLDER holds the measured data (`rram_retention/readtest2bpc1-{pre,post}bake.csv`; see README.md there): 1024 oxide-RRAM
cells programmed to four levels, read before and after 30 minutes at 157 C. They are a proxy: no such data of a hafnia
tunnel junction are known. d is ln(R_after / R_before); "robust" is its standard deviation from the median absolute
deviation; "beyond 3" the share of cells more than three of those from the median, 0.27 % for a normal distribution;
"nearer to another level" the share whose resistance ends up closer, in ln R, to another level's median.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from timing import write_results

from ferrogen.calibration.calibrate import calibrate
from ferrogen.calibration.columns import parse_choices

HALF_AN_HOUR = 1800.0


def rows_of(folder: Path) -> list[dict[str, Any]]:
    files = [folder / "rram_retention" / f"readtest2bpc1-{when}bake.csv" for when in ("pre", "post")]
    record = calibrate(
        "retention", files, columns=parse_choices(["value = #1 [Ohm]"]),
        settings={"levels": 4, "device": "rram", "bake_time": HALF_AN_HOUR},
    ).record  # fmt: skip
    levels = [{"level": f"{row['resistance']:.4g} Ohm", **row} for row in record["levels"]]
    return [*levels, {"level": "all", **record["all"]}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    rows = rows_of(parser.parse_args().folder)
    print("| level | cells | median d (95 %) | std | robust | p5 | p95 | beyond 3 (%) | nearer to another level (%) |")
    print("|---|---:|---|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        print(
            f"| {row['level']} | {row['cells']} | {row['median']:+.4f} ({row['median_low']:+.4f} to"
            f" {row['median_high']:+.4f}) | {row['deviation']:.3f} | {row['core']:.3f} | {row['low_tail']:+.3f} |"
            f" {row['high_tail']:+.3f} | {100 * row['tail_share']:.1f} |"
            f" {'' if row['level'] == 'all' else f'''{100 * row['left_level']:.1f}'''} |"
        )
    write_results("measured_retention", rows)


if __name__ == "__main__":
    main()
