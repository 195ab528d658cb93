"""The sampling chain of one column as a transient netlist: cells as piecewise-linear current sources, the same circuit.

SPICE has no jumps, so every jump of a current becomes a ramp, centred on it: no charge is lost or gained but where a
ramp crosses the moment at which a switch moves, or where two switchings of one cell are too close for two ramps;
:func:`ramp_charge` counts it. The switches' conductances go up and down on ramps as long.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.converters import ADC
from ferrogen.circuit.sampling_chain.column import ColumnRecord, Staircase
from ferrogen.circuit.sampling_chain.response import RAIL_STIFFNESS
from ferrogen.circuit.sampling_chain.simulate import virtual_ground, volts_per_step
from ferrogen.circuit.sampling_chain.spec import (
    ChargeIntegrator,
    SampleAndHold,
    SamplingChain,
    conversion_moment,
    intervals,
    window_of,
)
from ferrogen.circuit.spice.netlist import Deck, number, write_results
from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.transport.compact import effective_voltage

Array = NDArray[np.float64]

CellSources = Literal["currents", "conductances"]
"""How cells enter a netlist: as currents that do not depend on the summing node's voltage (its load is a resistor), or
as conductances V0 sinh(V / V0) between a driven row and the node."""

DEFAULT_RAMP: Final = 1e-9
"""How long a jump takes in SPICE [s]."""

TRANSIENT: Final[Mapping[str, float]] = MappingProxyType(
    {
        "reltol": 1e-5,
        "vntol": 1e-9,
        "abstol": 1e-15,
        "chgtol": 1e-20,
        "trtol": 10.0,
        "gmin": 1e-18,
        "minbreak": 1e-14,
    }
)
"""Simulator options of the transient analysis."""

_CLOSEST = 1e-3  # jumps of one cell closer than this share of a ramp become one
_POLE_CAPACITANCE = 1e-12  # F, of the amplifier's inner node; its size has no effect
_LARGEST = 2_000_000  # corners of a netlist


def ramped(staircase: Staircase, ramp: float) -> tuple[Array, Array]:
    """Return (times, values) of the corners of a staircase with a ramp, where there is room for it, at each jump.

    A ramp is centred on its jump, and shortened to two fifths of the time to the next jump. Jumps closer than a
    thousandth of ``ramp`` become one; what happens as close to either end does not happen.

    Raises:
        ArgumentError: a ramp that is not positive.
    """
    check_number("ramp", ramp, "s")
    least = _CLOSEST * ramp
    begun = int(np.searchsorted(staircase.times, least, side="right")) - 1
    jumps, levels = staircase.times[begun + 1 :], staircase.values[begun:]
    last = np.append(np.diff(jumps) > least, True)[: jumps.shape[0]] & (jumps < staircase.end - least)
    jumps, levels = jumps[last], np.append(levels[:1], levels[1:][last])
    moved = np.diff(levels) != 0.0
    jumps, levels = jumps[moved], np.concatenate([levels[:1], levels[1:][moved]])
    edges = np.concatenate([[0.0], jumps, [staircase.end]])
    gaps = np.diff(edges)
    half = np.minimum(0.5 * ramp, 0.4 * np.minimum(gaps[:-1], gaps[1:]))
    times = np.concatenate([[0.0], np.stack([jumps - half, jumps + half], axis=1).ravel(), [staircase.end]])
    return times, np.repeat(levels, 2)


def ramp_charge(chain: SamplingChain, column: ColumnRecord, ramp: float = DEFAULT_RAMP) -> Array:
    """Return the charge that ramps add to what is integrated in each window [C], shape ``(cycles, 2)``; exact."""
    begins = [
        (part.begin, part.end)
        for part in intervals(chain, column.schedule)
        if not part.reset and part.tracks is not None
    ]
    turns = np.arange(column.cycles)[:, None] * column.schedule.period
    begin, end = (turns + np.array([pair[which] for pair in begins]) for which in (0, 1))
    total = np.zeros(begin.shape)
    for cell in range(column.conductance.shape[0]):
        staircase = column.current([cell], ground=virtual_ground(chain))
        times, values = ramped(staircase, ramp)
        sums = np.concatenate([[0.0], np.cumsum(0.5 * (values[1:] + values[:-1]) * np.diff(times))])

        def integral(at: Array, times: Array = times, values: Array = values, sums: Array = sums) -> Array:
            k = np.clip(np.searchsorted(times, at, side="right") - 1, 0, times.shape[0] - 2)
            there = np.interp(at, times, values)
            return np.asarray(sums[k] + 0.5 * (values[k] + there) * (at - times[k]))

        total += integral(end) - integral(begin) - staircase.integral(begin, end)
    return total


def _source(name: str, nodes: str, times: Array, values: Array) -> list[str]:
    """Return the lines of a piecewise-linear source, some corners a line."""
    pairs = [f"{number(t)} {number(v)}" for t, v in zip(times, values, strict=True)]
    lines = [" ".join(pairs[k : k + 4]) for k in range(0, len(pairs), 4)]
    return [f"{name} {nodes} PWL({lines[0]}", *(f"+ {line}" for line in lines[1:]), "+ )"]


def _control(chain: SamplingChain, column: ColumnRecord, which: str, ramp: float) -> tuple[Array, Array]:
    """Return the corners of a switch's control: 1 closed, 0 open."""
    parts = intervals(chain, column.schedule)
    closed = [part.reset if which == "reset" else part.tracks == int(which) for part in parts]
    turns = np.arange(column.cycles)[:, None] * column.schedule.period
    times = (turns + np.array([part.begin for part in parts])).ravel()
    return ramped(Staircase(times, np.tile(np.array(closed, dtype=np.float64), column.cycles), column.duration), ramp)


def _currents(column: ColumnRecord, ramp: float, ground: float) -> list[str]:
    """Return the cells as current sources into the summing node, which is at ``ground`` [V]."""
    lines: list[str] = []
    for cell in range(column.conductance.shape[0]):
        lines += _source(f"I_cell_{cell}", "0 x", *ramped(column.current([cell], ground=ground), ramp))
    return lines


def _conductances(column: ColumnRecord, ramp: float) -> list[str]:
    """Return the cells as conductances, in nanosiemens on a node each, between a driven row and the summing node.

    Cells of a subtracted line see the virtual ground of their own line.
    """
    voltages = np.array([phase.voltage for phase in column.schedule.phases])
    row = Staircase(column.phase_edges, np.tile(voltages, column.cycles), column.duration)
    lines = _source("V_row", "row 0", *ramped(row, ramp))
    drive = effective_voltage(row.values, column.characteristic_voltage)
    for cell in range(column.conductance.shape[0]):
        current = column.current([cell])
        phase = np.searchsorted(row.times, current.times, side="right") - 1
        conductance = replace(current, values=1e9 * current.values / drive[phase])
        lines += _source(f"V_cell_{cell}", f"g{cell} 0", *ramped(conductance, ramp))
        across = "V(row,x)" if column.conductance[cell] > 0.0 else "V(row)"
        lines.append(f"B_cell_{cell} 0 x I=1e-9*V(g{cell})*{{v_zero}}*sinh({across}/{{v_zero}})")
    return lines


def sampling_chain_deck(
    chain: SamplingChain,
    column: ColumnRecord,
    *,
    full_scale: float,
    ramp: float = DEFAULT_RAMP,
    cells: CellSources = "currents",
    waveform: bool = False,
    largest_step: float | None = None,
    options: Mapping[str, float] = TRANSIENT,
    header: str = "",
) -> str:
    """Return the netlist of a sampling chain with one column's trap history, from integrator to codes.

    Its results are the held voltages ``h0`` and ``h1`` and the converter's ``code`` at the moment of every conversion,
    or these and the integrator's output ``u`` at all times.

    Args:
        chain: integrator, hold and converter with the properties of circuits; ideal ones have no netlist.
        column: cells and switching moments.
        full_scale: the difference of the windows' mean currents that makes the highest code [A].
        ramp: how long a jump of a current, or a switch, takes [s].
        cells: as ``currents``, or as ``conductances`` that see the voltage of the summing node.
        waveform: whether to return all times instead of the conversions.
        largest_step: of time [s]; a fiftieth of the window, if not given.
        options: of the simulator.
        header: comment at the beginning: where the column comes from.

    Raises:
        ArgumentError: an ideal stage, a schedule the chain cannot serve, or more switchings than a netlist should have.
    """
    integrator, hold = chain.integrator, chain.hold
    if not isinstance(integrator, ChargeIntegrator) or not isinstance(hold, SampleAndHold):
        raise argument_error(
            "chain", "have an integrator and a hold with the properties of circuits", "ideal",
            "Use ChargeIntegrator and SampleAndHold.",
        )  # fmt: skip
    if not isinstance(chain.adc, ADC):
        raise argument_error("chain", "have a converter with a number of bits", "ideal", "Use ADC.")
    window = window_of(column.schedule)
    step = volts_per_step(chain, window, full_scale)
    tallest = window / 50.0 if largest_step is None else largest_step
    check_number("largest_step", tallest, "s")
    if column.history.times.shape[0] > _LARGEST:
        raise argument_error(
            "column", f"have at most {_LARGEST} switchings", column.history.times.shape[0],
            "Take fewer cells or cycles, or shorter windows.",
        )  # fmt: skip
    if cells not in get_args(CellSources):
        raise argument_error("cells", f"be one of {', '.join(get_args(CellSources))}", repr(cells))
    if min(chain.guard_time, chain.reset_time) < 2.0 * ramp:
        raise argument_error(
            "ramp", f"be at most half of guard and reset, {min(chain.guard_time, chain.reset_time) / 2.0:g} s",
            f"{ramp:g} s", "In a netlist no switch may open while the next one closes.",
        )  # fmt: skip
    speed = 2.0 * math.pi * integrator.gain_bandwidth
    transconductance = speed * _POLE_CAPACITANCE
    parameters = {
        "g_reset": 1.0 / integrator.reset_resistance,
        "g_track": 1.0 / hold.resistance,
        "g_rail": RAIL_STIFFNESS * transconductance,
        "v_rail": integrator.rail,
        "codes_per_volt": 1.0 / step,
        "v_zero": column.characteristic_voltage,
        "last_code": float(2 ** (chain.adc.bits - 1) - 1),
    }
    ground = virtual_ground(chain)
    load = column.load(ground)
    sources = _currents(column, ramp, ground) if cells == "currents" else _conductances(column, ramp)
    amplifier = [
        *([f"R_load x offset {number(1.0 / load)}"] if cells == "currents" and load > 0.0 else []),
        f"C_in x 0 {number(integrator.input_capacitance)}",
        f"V_offset offset 0 {number(integrator.offset)}",
        f"G_stage 0 p offset x {number(transconductance)}",
        f"C_pole p 0 {number(_POLE_CAPACITANCE)}",
        f"R_pole p 0 {number(integrator.gain / transconductance)}",
        "B_rail p 0 I={g_rail}*(max(V(p)-{v_rail},0)+min(V(p)+{v_rail},0))",
        "E_output u 0 p 0 1",
        f"C_integral u x {number(integrator.capacitance)}",
        *([f"R_leakage u x {number(1.0 / integrator.leakage)}"] if integrator.leakage > 0.0 else []),
        *_source("V_reset", "reset 0", *_control(chain, column, "reset", ramp)),
        "B_reset u x I={g_reset}*V(reset)*V(u,x)",
    ]
    holds: list[str] = []
    for which in ("0", "1"):
        holds += [
            *_source(f"V_track{which}", f"track{which} 0", *_control(chain, column, which, ramp)),
            f"B_track{which} u h{which} I={{g_track}}*V(track{which})*V(u,h{which})",
            f"C_hold{which} h{which} 0 {number(hold.capacitance)}",
            *([f"R_hold{which} h{which} 0 {number(1.0 / hold.leakage)}"] if hold.leakage > 0.0 else []),
        ]
    period = column.schedule.period
    first = conversion_moment(chain, column.schedule)
    moments = first + np.arange(column.cycles) * period
    # The simulator stops at corners of sources: the strobe makes it stop at the conversions. What comes before the
    # first is dropped, and `linearize` reads at the first, a period later, and so on.
    strobe = np.stack([moments, moments + ramp, moments + 2.0 * ramp, moments + 3.0 * ramp], axis=1).ravel()
    converter = [
        "B_code code 0 V=min(max(floor((V(h0)-V(h1))*{codes_per_volt}+0.5),-{last_code}),{last_code})",
        *_source("V_strobe", "strobe 0", strobe, np.tile([0.0, 1.0, 1.0, 0.0], column.cycles)),
    ]
    grid = period if column.cycles > 1 else ramp
    control: tuple[str, ...] = (
        "save h0 h1 code",
        f"tran {number(grid)} {number(float(strobe[-1]))} {number(first)} {number(tallest)} uic",
        "linearize h0 h1 code",
        write_results(("h0", "h1", "code")),
    )
    if waveform:
        control = (
            "save u h0 h1 code",
            f"tran {number(tallest)} {number(column.duration)} 0 {number(tallest)} uic",
            write_results(("u", "h0", "h1", "code")),
        )
    return Deck(
        title="ferrogen: sampling chain of one column",
        header=header,
        parts={
            "numbers of the behavioural sources": [f".param {name}={number(x)}" for name, x in parameters.items()],
            f"cells: their {cells}, with the traps switching": sources,
            "integrator": amplifier,
            "sample-and-holds": holds,
            "subtraction and converter": converter,
        },
        options=options,
        control=control,
    ).text()  # fmt: skip
