"""The sampling chain in ngspice, with our own traps: code for code, but for counted rounding edges."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ferrogen.array.programming import IdealProgramming
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.schedule import chip_schedule
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.converters import ADC
from ferrogen.circuit.sampling_chain.column import ColumnRecord, record_column
from ferrogen.circuit.sampling_chain.simulate import chain_waveform, digitise, run_chain
from ferrogen.circuit.sampling_chain.spec import ChargeIntegrator, SampleAndHold, SamplingChain
from ferrogen.circuit.spice.run import SimulatorMissingError
from ferrogen.circuit.spice.transient_compare import (
    SpiceReadings,
    compare_codes,
    compare_with_spice,
    simulate_in_spice,
    spice_waveform,
)
from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose

WINDOW = 1e-4
needs_ngspice = pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")


def _chain(bits: int = 10, **integrator: float) -> SamplingChain:
    return SamplingChain(
        ChargeIntegrator(**({"capacitance": 4e-12, "offset": 1e-3} | integrator)), SampleAndHold(), ADC(bits=bits)
    )


def _record(minus: int | None, cycles: int, first: int = 0) -> ColumnRecord:
    """Return a column of 16 cells of a shipped card, or a differential pair, with the traps of a chip's tile."""
    spec = ChipSpec(rows=16, columns=2, tiles=1, programming=IdealProgramming())
    chip = Chip("hzo-mfis-nor", seed=7, spec=spec)
    tile = chip.program(0, np.full((16, 2), chip.window.high), samples=True)
    point = OperatingPoint.for_card(chip.device, sampling_time=WINDOW, multiply_time=2e-5)
    population = tile.population()
    return record_column(
        population, tile.conductance(population), tile.steps(population),
        chip_schedule(point, samples=True, observe="windows"), key=tile.streams.key(Purpose.TELEGRAPH_WINDOW, 0),
        temperature=point.temperature, characteristic_voltage=chip.device.characteristic_voltage.value, minus=minus,
        first_cycle=first, cycles=cycles,
    )  # fmt: skip


def _full_scale(column: ColumnRecord) -> float:
    return 1.1 * float(np.abs(run_chain(SamplingChain.ideal(), column, full_scale=1e-9).current).max())


@pytest.fixture(scope="module")
def column() -> ColumnRecord:
    return _record(None, 20)


@pytest.fixture(scope="module")
def spice(column: ColumnRecord) -> SpiceReadings:
    """Twenty cycles, some four thousand switchings, in ngspice: one simulation for all that is asked of it."""
    return simulate_in_spice(_chain(), column, full_scale=_full_scale(column))


@needs_ngspice
def test_codes_are_the_same_but_for_rounding_edges(column: ColumnRecord, spice: SpiceReadings) -> None:
    compared = compare_codes(_chain(), column, spice, full_scale=_full_scale(column))
    assert column.history.times.shape[0] > 3000
    assert np.unique(compared.codes).shape[0] > 15  # the readings differ, and use the converter's range
    assert np.abs(compared.codes).max() > 400
    assert compared.limit < 0.05
    assert compared.agrees
    assert compared.unexplained.size == 0
    # two edges a code: a share of 2 x 0.05 codes could differ at most, 2 of 20; in fact values agree to 1e-3 codes
    assert compared.disagreements.size <= 2
    assert np.abs(compared.deviation).max() < 2e-3


@needs_ngspice
@pytest.mark.parametrize(
    "change",
    [
        {"capacitance": 4e-12 * 1.001},
        {"capacitance": 4e-12 * 0.999},
        {"window": 1.001},
        {"window": 0.999},
        {"step": 1.001},
    ],
)
def test_a_chain_or_trap_that_is_a_thousandth_off_is_found(
    column: ColumnRecord, spice: SpiceReadings, change: dict[str, float]
) -> None:
    full_scale = _full_scale(column)
    chain, wrong = _chain(), column
    if "capacitance" in change:
        # the converter stays what it was: its step is that of the right capacitance
        full_scale *= change["capacitance"] / 4e-12
        chain = _chain(capacitance=change["capacitance"])
    if "window" in change:
        guard = chain.guard_time + (1.0 - change["window"]) * chain.integration_time(WINDOW)
        reset = chain.reset_time
        if guard < 0.0:
            guard, reset = 0.0, reset + guard
        full_scale *= chain.integration_time(WINDOW)
        chain = replace(chain, guard_time=guard, reset_time=reset)
        full_scale /= chain.integration_time(WINDOW)
    if "step" in change:
        wrong = replace(column, steps=column.steps * change["step"])
    compared = compare_codes(chain, wrong, spice, full_scale=full_scale)
    assert not compared.agrees
    assert np.abs(compared.deviation).max() > 2.0 * compared.limit


@needs_ngspice
def test_converters_in_both_worlds_round_alike(column: ColumnRecord, spice: SpiceReadings) -> None:
    """The codes that the netlist's converter made are those of our converter for the netlist's own held voltages."""
    compared = compare_codes(_chain(), column, spice, full_scale=_full_scale(column))
    codes, distance = digitise(_chain(), spice.held[:, 0] - spice.held[:, 1], compared.readings.volts_per_step)
    away = distance > 1e-6
    assert away.sum() >= 19
    np.testing.assert_array_equal(codes[away], spice.codes[away])


@needs_ngspice
def test_a_disagreement_at_an_edge_is_counted_and_explained(column: ColumnRecord, spice: SpiceReadings) -> None:
    """An edge is laid between our value and ngspice's of one cycle: the codes must differ, and be accepted."""
    full_scale = _full_scale(column)
    compared = compare_codes(_chain(), column, spice, full_scale=full_scale)
    worst = int(np.abs(compared.deviation).argmax())
    part = column.excerpt(worst, 1)
    middle = compared.readings.difference[worst] / compared.readings.volts_per_step + 0.5 * compared.deviation[worst]
    edge = np.floor(middle) + 0.5
    moved = compare_with_spice(_chain(), part, full_scale=full_scale * middle / edge)
    assert moved.disagreements.tolist() == [0]
    assert moved.agrees
    assert moved.edge_distance[0] < moved.limit
    # the same codes, but of a value that is not at an edge, are refused
    shifted = replace(moved, readings=replace(moved.readings, edge_distance=np.array([0.2])))
    assert shifted.unexplained.tolist() == [0]
    assert not shifted.agrees


@needs_ngspice
@pytest.mark.parametrize("cells", ["currents", "conductances"])
def test_differential_pairs_and_cells_that_see_the_summing_node(cells: Any) -> None:
    pair = _record(1, 2, first=5)
    compared = compare_with_spice(_chain(), pair, full_scale=_full_scale(pair), cells=cells)
    assert compared.agrees
    assert np.abs(compared.deviation).max() < (2e-3 if cells == "currents" else 0.1)


@needs_ngspice
def test_bad_circuits_and_rails(column: ColumnRecord) -> None:
    """A slow amplifier of low gain, a leaky hold and a rail in the way: the held voltages agree all the same."""
    part = column.excerpt(2, 3)
    chain = SamplingChain(
        ChargeIntegrator(
            capacitance=2e-12, gain=300.0, gain_bandwidth=3e5, offset=-2e-3, rail=0.15, input_capacitance=3e-12,
            reset_resistance=1e5, leakage=2e-9,
        ),
        SampleAndHold(capacitance=1e-12, resistance=1e5, leakage=1e-9),
        ADC(bits=8),
        reset_time=5e-6,
        guard_time=1e-6,
    )  # fmt: skip
    compared = compare_with_spice(chain, part, full_scale=_full_scale(part))
    assert compared.readings.saturated.any()
    # switches are uncertain by a nanosecond: 3e-5 of the hold's droop over 30 us
    np.testing.assert_allclose(compared.spice.held, compared.readings.held, rtol=0.0, atol=2e-5)


@needs_ngspice
def test_the_integrator_takes_the_same_way(column: ColumnRecord) -> None:
    """Not only where it ends: its output at every switching of a cycle, between those near a switch of the circuit."""
    part = column.excerpt(1, 1)
    ours = chain_waveform(_chain(), part)
    theirs = spice_waveform(_chain(), part, full_scale=1e-8)
    within = ours.times % WINDOW
    calm = (within > 2e-6) & (within < WINDOW - 2e-7) & (ours.times < 2.0 * WINDOW)
    assert calm.sum() > 50
    # at a switching the current is still on its ramp, and the amplifier settles within nanoseconds
    there = np.interp(ours.times[calm], theirs.times, theirs.output)
    np.testing.assert_allclose(there, ours.output[calm], rtol=0.0, atol=2e-5)


def test_without_ngspice_the_message_says_how_to_get_it(column: ColumnRecord) -> None:
    with pytest.raises(SimulatorMissingError, match="Install it"):
        compare_with_spice(_chain(), column.excerpt(0, 1), full_scale=1e-8, ngspice="no-such-program")


def test_readings_of_another_length_are_refused(column: ColumnRecord) -> None:
    other = SpiceReadings(held=np.zeros((3, 2)), codes=np.zeros(3), seconds=0.0, runs=1, version="")
    with pytest.raises(ArgumentError, match="`spice`"):
        compare_codes(_chain(), column, other, full_scale=1e-8)
