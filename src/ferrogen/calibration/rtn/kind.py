"""The kind ``rtn``: traps from traces of single cells, or a trap ensemble from repeated reads of many cells."""

from __future__ import annotations

import math

from ferrogen.calibration.columns import Wanted
from ferrogen.calibration.kind import Kind, Request, Setting
from ferrogen.calibration.result import Calibration
from ferrogen.calibration.rtn.population import calibrate_population
from ferrogen.calibration.rtn.traces import calibrate_traces


def calibrate_rtn(request: Request) -> Calibration:
    """Fit traces or rows of reads, as the setting ``layout`` says.

    Raises:
        DataFileError: a table without usable numbers.
        ArgumentError: settings that do not fit the data.
    """
    if request.word("layout") == "cells":
        return calibrate_population(request)
    return calibrate_traces(request)


KIND = Kind(
    name="rtn",
    title="telegraph noise: traps of traces (a column each), or the trap ensemble of many cells (a row each)",
    columns=(
        Wanted(
            "signal",
            ("A", "S", "Ohm"),
            usual=("current", "i", "id", "conductance", "g", "resistance", "r"),
            several=True,
        ),
        Wanted("time", ("s",), usual=("t",), optional=True),
    ),
    calibrate=calibrate_rtn,
    settings={
        "layout": Setting("traces", "what a row is", choices=("traces", "cells")),
        "interval": Setting(math.nan, "time between samples; without it times are in reads", unit="s", low=1e-15),
        "drift": Setting("no", "let the baseline of a trace be a straight line", choices=("no", "yes")),
        "most_traps": Setting(4.0, "largest number of traps to look for in a trace", low=0.0, high=4.0),
        "least_switches": Setting(10.0, "a trap that switches fewer times is not identified", low=1.0, high=1e6),
        "voltages": Setting("", "read voltage of each file, in order, e.g. '0.4 V, 0.5 V'", unit="V", text=True),
        "scrambled": Setting(1.0, "share of traps that programming left in random states", low=0.0, high=1.0),
    },
)
