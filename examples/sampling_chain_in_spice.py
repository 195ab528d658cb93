"""One column's sampling chain twice, by ferrogen and by ngspice, with the same traps: do the codes agree?

The traps of 32 cells switch as the chip's own do. The column's current is integrated over two windows, held, subtracted
and digitised; ngspice does the same with a netlist of it. Needs ngspice (Debian, Ubuntu: `sudo apt install ngspice`);
without it the example says so and stops.
"""

import argparse
import csv
import tempfile
from pathlib import Path

from ferrogen.circuit.spice.run import SimulatorMissingError, find_ngspice
from ferrogen.report.transient import transient_report

arguments = argparse.ArgumentParser(description="One column's sampling chain by ferrogen and by ngspice.")
arguments.add_argument("--out", type=Path, help="folder for figure, numbers and netlist; a temporary one if not given")
out = arguments.parse_args().out
try:
    find_ngspice()
except SimulatorMissingError as error:
    print(f"Nothing to compare with: {error}")
    raise SystemExit(0) from None
with tempfile.TemporaryDirectory() as temporary:
    folder = out or Path(temporary)
    result = transient_report("hzo-mfis-nor", folder, seed=7, cells=32, cycles=20)
    with (folder / "transient.csv").open(encoding="utf-8", newline="") as file:
        readings = list(csv.DictReader(file))
print(f"{result['cells']} cells, {result['traps']} traps, {result['switchings']} switchings, {result['cycles']} cycles")
print(f"ngspice {result['ngspice']} in {result['ngspice_runs']} runs")
print("cycle   code (ferrogen)   code (ngspice)   difference [codes]   to the next edge [codes]")
for row in readings:
    print(
        f"{int(row['cycle']):5d}   {int(row['code, ferrogen']):15d}   {int(row['code, ngspice']):14d}   "
        f"{float(row['deviation [codes]']):18.1e}   {float(row['distance to a rounding edge [codes]']):24.4f}"
    )
print(
    f"\n{result['codes_that_differ']} codes differ, {result['of_these_not_at_an_edge']} of them not at a rounding edge;"
    f" values differ by {result['largest_deviation_codes']:.1e} codes at most (the netlist's ramps and tolerances allow"
    f" {result['limit_codes']:.1e})"
)
print("with a converter of    codes differ    furthest from an edge")
for row in result["by_bits"]:
    print(f"{row['bits']:14d} bits   {row['codes_that_differ']:12d}    {row['furthest_from_edge_codes']:.4f} codes")
print(
    f"circuits' noise {result['noise_of_the_circuits_codes']:.2f} codes, {1e9 * result['energy_J']:.2f} nJ and"
    f" {1e6 * result['latency_s']:.0f} us a reading"
)
if out:
    print(f"figure, numbers and netlist: {out}")
