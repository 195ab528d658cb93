"""The sampling chain: against the chip's own readings, closed forms of every stage, and an independent integration."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from ferrogen.array.programming import IdealProgramming
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.schedule import chip_schedule
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.converters import ADC, IdealADC
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.sampling_chain.budget import chain_noise, noisy_difference, reading_cost
from ferrogen.circuit.sampling_chain.column import ColumnRecord, record_column
from ferrogen.circuit.sampling_chain.simulate import digitise, run_chain, volts_per_step
from ferrogen.circuit.sampling_chain.spec import (
    ChargeIntegrator,
    IdealChargeIntegrator,
    IdealSampleAndHold,
    SampleAndHold,
    SamplingChain,
)
from ferrogen.circuit.spice.transient import ramp_charge, ramped, sampling_chain_deck
from ferrogen.core.errors import ArgumentError, FerrogenError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.rtn.events import TrapHistory
from ferrogen.device.noise.rtn.schedule import Phase, Schedule

WINDOW = 1e-4
V_ZERO = 0.4
VOLTAGE = 1.2
DRIVE = V_ZERO * math.sinh(VOLTAGE / V_ZERO)

Array = NDArray[np.float64]


def _schedule(rest: float = 0.1) -> Schedule:
    windows = Phase(VOLTAGE, WINDOW, observed=True)
    return Schedule((windows, windows, Phase(rest, 0.8 * WINDOW), Phase(rest, 0.2 * WINDOW)))


def _column(
    current: float = 1e-9, switches: tuple[float, ...] = (), step: float = 0.0, cycles: int = 1, standing: float = 0.0
) -> ColumnRecord:
    """One cell that carries ``current`` [A] in windows, with one trap, empty at first, of that ``step`` [A]."""
    times = np.array(switches)
    return ColumnRecord(
        conductance=np.array([current / DRIVE]),
        cell=np.zeros(1, dtype=np.int64),
        steps=np.array([step / DRIVE]),
        history=TrapHistory(
            np.zeros(1, dtype=np.bool_), np.array([0, times.shape[0]]), times, cycles * _schedule().period
        ),
        schedule=_schedule(),
        cycles=cycles,
        characteristic_voltage=V_ZERO,
        standing=standing,
    )


def _other_schedule() -> ColumnRecord:
    """Return a column whose cycle begins with two windows that are not alike."""
    first, second, *others = _schedule().phases
    return replace(_column(), schedule=Schedule((replace(first, voltage=1.0), second, *others)))


def _stage(integrator: object = None, hold: object = None, **timing: float) -> SamplingChain:
    ideal = SamplingChain.ideal()
    return replace(ideal, integrator=integrator or ideal.integrator, hold=hold or ideal.hold, **timing)


@pytest.fixture(scope="module")
def chip() -> Chip:
    spec = ChipSpec(rows=16, columns=4, tiles=1, programming=IdealProgramming(), periphery=Periphery.ideal())
    chip = Chip("hzo-mfis-nor", seed=7, spec=spec)
    target = np.linspace(chip.window.low, chip.window.high, 64).reshape(16, 4)
    chip.program(0, target, samples=True)
    return chip


@pytest.fixture(scope="module")
def point(chip: Chip) -> OperatingPoint:
    return OperatingPoint.for_card(chip.device, sampling_time=WINDOW, multiply_time=2e-5)


def _record(chip: Chip, point: OperatingPoint, plus: int, minus: int | None, first: int, cycles: int) -> ColumnRecord:
    tile = chip.tile(0)
    population = tile.population()
    return record_column(
        population, tile.conductance(population), tile.steps(population),
        chip_schedule(point, samples=True, observe="windows"), key=tile.streams.key(Purpose.TELEGRAPH_WINDOW, 0),
        temperature=point.temperature, characteristic_voltage=chip.device.characteristic_voltage.value, plus=plus,
        minus=minus, first_cycle=first, cycles=cycles,
    )  # fmt: skip


@pytest.mark.parametrize("pair", [0, 1])
@pytest.mark.parametrize("first", [0, 1000])
def test_an_ideal_chain_reads_what_the_chip_reads(chip: Chip, point: OperatingPoint, pair: int, first: int) -> None:
    """The same traps, switch by switch, through the circuit; the chip only ever draws the windows' averages."""
    column = _record(chip, point, 2 * pair, 2 * pair + 1, first, 6)
    ours = run_chain(SamplingChain.ideal(), column, full_scale=1e-8).current
    chips = chip.sample(point, range(first, first + 6)).current[:, pair]
    # the difference of two windows is a thousandth of the standing current, which is good to 1e-13
    np.testing.assert_allclose(ours, chips, rtol=0.0, atol=1e-9 * np.abs(chips).max())


def test_the_reference_takes_the_average_away(chip: Chip, point: OperatingPoint) -> None:
    column = _record(chip, point, 0, None, 0, 12)
    bare = replace(column, conductance=column.conductance[:-1])
    windows = np.array([0.0, WINDOW]) + np.arange(12)[:, None] * column.schedule.period
    left, whole = (c.current().integral(windows, windows + WINDOW) / WINDOW for c in (column, bare))
    assert abs(left.mean()) < 0.01 * whole.mean()
    np.testing.assert_allclose(left - left[0, 0], whole - whole[0, 0], rtol=1e-6, atol=1e-16)


def test_currents_of_cells_add_up_to_the_column(chip: Chip, point: OperatingPoint) -> None:
    column = _record(chip, point, 0, 1, 3, 2)
    total = column.current(ground=0.01)
    parts = sum(column.current([k], ground=0.01).at(total.times) for k in range(column.conductance.shape[0]))
    np.testing.assert_allclose(parts, total.values, rtol=0.0, atol=1e-12 * np.abs(total.values).max())


def test_an_ideal_integrator_is_a_charge_over_a_capacitance() -> None:
    """The trap is occupied for 30 us of the first window and 5 us of the second."""
    column = _column(2e-9, (1e-5, 4e-5, WINDOW + 2e-5, WINDOW + 2.5e-5), -0.5e-9)
    read = run_chain(SamplingChain.ideal(4e-12), column, full_scale=1e-9)
    expected = [-(2e-9 * WINDOW - 0.5e-9 * 30e-6) / 4e-12, -(2e-9 * WINDOW - 0.5e-9 * 5e-6) / 4e-12]
    np.testing.assert_allclose(read.held[0], expected, rtol=1e-12)
    assert read.current[0] == pytest.approx(0.5e-9 * 25e-6 / WINDOW, rel=1e-10)
    assert not read.saturated.any()


def test_only_what_lies_between_reset_and_guard_counts() -> None:
    timing = {"reset_time": 2e-5, "guard_time": 1e-5}
    early = _column(1e-9, (0.0, 2e-5), -1e-9)
    late = _column(1e-9, (9e-5, WINDOW), -1e-9)
    inside = _column(1e-9, (8e-5, WINDOW), -1e-9)
    for column, share in ((early, 1.0), (late, 1.0), (inside, 6 / 7)):
        read = run_chain(_stage(**timing), column, full_scale=1e-9)
        assert read.held[0, 0] == pytest.approx(-share * 1e-9 * 7e-5 / 10e-12, rel=1e-12)
        assert read.current[0] == pytest.approx((1.0 - share) * 1e-9, abs=1e-21)


def test_a_finite_gain_lets_charge_leak_away() -> None:
    """u(T) = -(i / G) (1 - e^(-T G / K)), K = C + (C + C_in) / A, G = g / A + g_f (1 + 1 / A), for a fast amplifier."""
    gain, load, leakage, c, c_in = 50.0, 2e-6, 1e-9, 10e-12, 3e-12
    integrator = ChargeIntegrator(
        capacitance=c, gain=gain, gain_bandwidth=1e11, input_capacitance=c_in, leakage=leakage, rail=1e3
    )
    column = _column(1e-8, standing=load / math.cosh(VOLTAGE / V_ZERO))
    read = run_chain(_stage(integrator, reset_time=1e-5), column, full_scale=1e-9)
    conductance = load / gain + leakage * (1.0 + 1.0 / gain)
    capacitance = c + (c + c_in) / gain
    time = WINDOW - 1e-5
    integrated = -1e-8 / conductance * -math.expm1(-time * conductance / capacitance)
    # the closed switch leaves about -i R, 1e-5 V, which leaks, too
    start = -1e-8 / (1e-3 * (1.0 + 1.0 / gain) + conductance)
    expected = integrated + start * math.exp(-time * conductance / capacitance)
    # the amplifier needs u' / w = 2e-9 V at its input, 3e-7 of the current in the load; rounding is 1e-9
    assert read.held[0, 0] == pytest.approx(expected, rel=1e-6)
    assert abs(read.held[0, 0]) < 0.85 * 1e-8 * time / c


def test_a_slow_amplifier_lags() -> None:
    """u(t) = -(i / C) (t - tau (1 - e^(-t / tau))) with tau = (C + C_in) / (C w)."""
    integrator = ChargeIntegrator(
        capacitance=10e-12, gain=1e15, gain_bandwidth=5e3, input_capacitance=5e-12, leakage=0.0, rail=1e3
    )
    # from rest, and the current begins after the reset: nothing is left of it
    column = _column(1e-9, (1e-5,), 1e-9)
    column = replace(column, conductance=np.array([0.0]))
    read = run_chain(_stage(integrator, reset_time=1e-5), column, full_scale=1e-9)
    speed = 2.0 * math.pi * 5e3
    tau, time = 1.5 / speed, 9e-5
    expected = -1e-9 / 10e-12 * (time - tau * -math.expm1(-time / tau))
    assert read.held[0, 0] == pytest.approx(expected, rel=1e-9)
    assert abs(read.held[0, 0]) < 0.7 * 1e-9 * time / 10e-12


def test_a_hold_lags_behind_a_ramp_and_droops() -> None:
    """Behind a ramp -(i / C) (t - tau (1 - e^(-t / tau))), tau = R C_h; until the conversion e^(-g t / C_h)."""
    hold = SampleAndHold(capacitance=2e-12, resistance=1e7, leakage=0.0)
    tau = 2e-5
    lagging = run_chain(_stage(hold=hold), _column(1e-9), full_scale=1e-9)
    expected = -100.0 * (WINDOW - tau * -math.expm1(-WINDOW / tau))
    assert lagging.held[0, 0] == pytest.approx(expected, rel=1e-10)
    leaky = SampleAndHold(capacitance=2e-12, resistance=1e3, leakage=1e-9)
    drooping = run_chain(_stage(hold=leaky, conversion_delay=3e-5), _column(1e-9), full_scale=1e-9)
    first, second = drooping.held[0]
    # both are the same ramp's end, a window apart
    assert first / second == pytest.approx(math.exp(-1e-9 * WINDOW / 2e-12), rel=1e-9)
    # 2 ns of lag, and a millionth of the charge is lost while it follows
    assert second == pytest.approx(-1e-2 * (1.0 - 2e-5) * math.exp(-1e-9 * 3e-5 / 2e-12), rel=2e-6)


def test_an_offset_drops_out_of_the_difference() -> None:
    base = ChargeIntegrator(capacitance=4e-12)
    column = _column(1e-9, (WINDOW + 5e-5,), -1e-9)
    none, some = (
        run_chain(_stage(replace(base, offset=offset), SampleAndHold(), reset_time=1e-6), column, full_scale=1e-9)
        for offset in (0.0, 3e-3)
    )
    # what is held moves by the offset; the difference by the cells' smaller voltage, 3 mV of V0 / coth(V / V0)
    assert np.abs(some.held - none.held).min() > 2.9e-3
    expected = math.sinh((VOLTAGE - 3e-3) / V_ZERO) / math.sinh(VOLTAGE / V_ZERO)
    assert some.difference[0] / none.difference[0] == pytest.approx(expected, rel=1e-4)


def test_a_general_column_against_an_independent_integration(chip: Chip, point: OperatingPoint) -> None:
    """The equations once more, stepped by an implicit Runge-Kutta method from jump to jump, a rail in the way."""
    integrator = ChargeIntegrator(
        capacitance=1e-12, gain=200.0, gain_bandwidth=1e5, offset=2e-3, rail=0.06, input_capacitance=2e-12,
        reset_resistance=1e5, leakage=1e-9,
    )  # fmt: skip
    hold = SampleAndHold(capacitance=1e-12, resistance=1e6, leakage=2e-9)
    chain = SamplingChain(integrator, hold, ADC(bits=8), reset_time=1e-5, guard_time=5e-6, conversion_delay=2e-6)
    column = _column(2e-9, (3e-5, 4.5e-5, WINDOW + 2e-5), -5e-9, cycles=2, standing=3e-8)
    read = run_chain(chain, column, full_scale=1e-9)
    current, load = column.current(ground=2e-3), column.load(2e-3)
    speed = 2.0 * math.pi * 1e5

    def rates(t: float, y: Array, i: float, reset: bool, tracks: int | None) -> list[float]:
        v, u, h0, h1 = y
        du = -speed * (v - 2e-3) - speed / 200.0 * u
        du -= 100.0 * speed * (max(u - 0.06, 0.0) + min(u + 0.06, 0.0))
        across = 1e-9 + (1e-5 if reset else 0.0)
        dv = (i - load * (v - 2e-3) - across * (v - u) + 1e-12 * du) / 3e-12
        dh = [(-2e-9 * h + (1e-6 * (u - h) if tracks == k else 0.0)) / 1e-12 for k, h in enumerate((h0, h1))]
        return [dv, du, *dh]

    period = column.schedule.period
    edges = sorted({*current.times, *(
        c * period + w * WINDOW + e for c in (0, 1) for w in (0, 1) for e in (0.0, 1e-5, WINDOW - 5e-6)
    ), *(c * period + 2.0 * WINDOW + e for c in (0, 1) for e in (0.0, 2e-6)), 2.0 * period})  # fmt: skip
    state, held, beyond = np.zeros(4), [], 0.0
    for begin, end in itertools.pairwise(edges):
        middle = 0.5 * (begin + end)
        within = middle % period
        window, place = (int(within // WINDOW), within % WINDOW) if within < 2.0 * WINDOW else (None, 0.0)
        reset = window is None or place < 1e-5
        tracks = window if window is not None and place < WINDOW - 5e-6 else None
        if any(abs(begin - (c * period + 2.0 * WINDOW + 2e-6)) < 1e-12 for c in (0, 1)):
            held.append(state[2:])
        i = float(current.at(np.array([middle]))[0])
        solved = solve_ivp(rates, (begin, end), state, args=(i, reset, tracks), method="Radau", rtol=1e-9, atol=1e-13)
        state = solved.y[:, -1]
        beyond = max(beyond, float(np.abs(solved.y[1]).max()))
    assert beyond > 0.06
    assert read.saturated.all()
    # Radau's steps are good to about 1e-9 of 0.06 V each, and there are some hundred
    np.testing.assert_allclose(read.held, np.array(held), rtol=0.0, atol=2e-8)


def test_an_overloaded_integrator_stays_at_its_rail() -> None:
    chain = SamplingChain(ChargeIntegrator(capacitance=1e-12, rail=0.5), adc=ADC(bits=8))
    read = run_chain(chain, _column(-2e-8), full_scale=1e-9)
    assert read.saturated.all()
    np.testing.assert_allclose(read.held[0], 0.5, rtol=0.05)
    assert abs(read.codes[0]) <= 4  # both windows look alike: a saturated reading is no large one
    assert not run_chain(chain, _column(-2e-9), full_scale=1e-9).saturated.any()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    bits=st.integers(2, 20),
    step=st.floats(1e-7, 1e-2),
    place=st.lists(st.floats(-3e5, 3e5), min_size=1, max_size=8),
)
def test_codes_are_the_converter_s_and_edges_are_where_they_change(bits: int, step: float, place: list[float]) -> None:
    chain = SamplingChain(adc=ADC(bits=bits))
    value = np.array(place) * step
    codes, distance = digitise(chain, value, step)
    steps = 2 ** (bits - 1) - 1
    np.testing.assert_allclose(codes * step, chain.adc.quantise(value, steps * step), rtol=1e-9, atol=1e-12 * step)
    assert (np.abs(codes) <= steps).all()
    inside = np.abs(value / step) < steps
    assert (distance[inside] <= 0.5 + 1e-9).all()
    for sign in (-1.0, 1.0):  # no code changes before an edge; at one of the two sides it does, just behind
        before, _ = digitise(chain, value + sign * 0.999 * distance * step * (1.0 - 1e-9), step)
        far = distance > 1e-4
        np.testing.assert_array_equal(before[far], codes[far])
    behind = [digitise(chain, value + sign * (1.001 * distance + 1e-4) * step, step)[0] for sign in (-1.0, 1.0)]
    assert ((behind[0] != codes) | (behind[1] != codes)).all()


def test_an_ideal_converter_has_no_edges() -> None:
    read = run_chain(SamplingChain.ideal(), _column(1e-9, (WINDOW,), 1e-9), full_scale=1e-9)
    assert read.volts_per_step == 0.0
    np.testing.assert_array_equal(read.codes, read.difference)
    assert np.isinf(read.edge_distance).all()


def test_cycles_cut_out_read_as_they_did(chip: Chip, point: OperatingPoint) -> None:
    column = _record(chip, point, 0, None, 0, 8)
    chain = SamplingChain(ChargeIntegrator(capacitance=4e-12, offset=1e-3))
    whole = run_chain(chain, column, full_scale=1e-8)
    part = run_chain(chain, column.excerpt(3, 4), full_scale=1e-8)
    # the reset of the first window leaves e^-100 of the state before it
    np.testing.assert_allclose(part.held, whole.held[3:7], rtol=0.0, atol=1e-11)
    np.testing.assert_array_equal(part.codes, whole.codes[3:7])


def test_noise_energy_and_latency() -> None:
    column = _column(1e-8)
    chain = SamplingChain(ChargeIntegrator(capacitance=4e-12, input_capacitance=1e-12), adc=ADC(bits=10))
    noise = chain_noise(chain, column, 300.0)
    # kT/C at 300 K: 32.2 uV on 4 pF, 64.4 uV on 1 pF
    assert noise.reset == pytest.approx(32.18e-6, rel=1e-3)
    assert noise.hold == pytest.approx(64.36e-6, rel=1e-3)
    # 5 nV/sqrt(Hz) x 5/4 over pi/2 x 8 MHz
    assert noise.amplifier == pytest.approx(6.25e-9 * math.sqrt(0.5 * math.pi * 8e6), rel=1e-6)
    # sqrt(2 q I / 2 T) = 4.0e-12 A over 98.9 us, times T / C
    assert noise.shot == pytest.approx(math.sqrt(1.602177e-19 * 1e-8 * 98.9e-6) / 4e-12, rel=1e-4)
    assert noise.difference == pytest.approx(math.sqrt(2.0) * math.hypot(*(
        getattr(noise, name) for name in ("reset", "hold", "amplifier", "shot")
    )))  # fmt: skip
    cost = reading_cost(chain, column)
    assert cost.latency == pytest.approx(2.0 * WINDOW + 1e-6 + chain.adc.latency())
    assert cost.cycle == pytest.approx(3.0 * WINDOW)
    assert cost.cells == pytest.approx(VOLTAGE * 1e-8 * 2.0 * WINDOW)
    assert cost.integrator == pytest.approx(20e-6 * (2.0 * WINDOW + 1e-6))
    assert cost.capacitors == pytest.approx(2.0 * (4e-12 + 1e-12))
    assert cost.energy == pytest.approx(cost.cells + cost.integrator + cost.capacitors + chain.adc.energy())
    ideal = SamplingChain.ideal()
    assert chain_noise(ideal, column, 300.0).difference == 0.0
    assert reading_cost(ideal, column).energy == reading_cost(ideal, column).cells


def test_drawn_noise_has_the_stated_size_and_its_own_address() -> None:
    """Level 1e-3: the variance of 20000 normals, chi-square in its normal limit."""
    noise = chain_noise(SamplingChain(), _column(1e-8), 300.0)
    key = Streams(5).key(Purpose.CONVERSION_NOISE, 0)
    drawn = noisy_difference(np.zeros(20_000), noise, key)
    assert abs(drawn.var() / noise.difference**2 - 1.0) < 3.3 * math.sqrt(2.0 / 20_000)
    np.testing.assert_array_equal(noisy_difference(np.zeros(5), noise, key, 17), drawn[17:22])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(moments=st.lists(st.floats(0.0, 2.9e-4), max_size=12, unique=True), ramp=st.sampled_from([1e-10, 1e-9, 1e-7]))
def test_ramps_keep_the_charge(moments: list[float], ramp: float) -> None:
    """A ramp is centred on its jump: the integral over the whole history stays, but for jumps that were merged."""
    column = _column(1e-9, tuple(sorted(moments)), -0.4e-9)
    staircase = column.current()
    times, values = ramped(staircase, ramp)
    assert (np.diff(times) > 0.0).all()
    exact = float(staircase.integral(np.array([0.0]), np.array([staircase.end]))[0])
    merged = len(moments) * 1e-3 * ramp * 5e-9
    assert np.trapezoid(values, times) == pytest.approx(exact, rel=1e-12, abs=merged + 1e-25)
    assert np.isfinite(ramp_charge(SamplingChain(), column, ramp)).all()


def test_charge_of_ramps_is_counted_where_a_switch_cuts_them() -> None:
    """A jump of 1 nA just where the integration ends: half a ramp of the old and new current, J ramp / 8, is missed."""
    chain = SamplingChain(reset_time=1e-6, guard_time=1e-6)
    inside = ramp_charge(chain, _column(1e-9, (5e-5,), 1e-9), 1e-8)
    cut = ramp_charge(chain, _column(1e-9, (WINDOW - 1e-6,), 1e-9), 1e-8)
    np.testing.assert_allclose(inside, 0.0, atol=1e-28)
    assert cut[0, 0] == pytest.approx(1e-9 * 1e-8 / 8.0, rel=1e-6)
    assert cut[0, 1] == pytest.approx(0.0, abs=1e-28)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: ChargeIntegrator(capacitance=0.0), "capacitance"),
        (lambda: ChargeIntegrator(gain=math.inf), "gain"),
        (lambda: ChargeIntegrator(offset=math.nan), "offset"),
        (lambda: IdealChargeIntegrator(-1e-12), "capacitance"),
        (lambda: SampleAndHold(leakage=-1.0), "leakage"),
        (lambda: SamplingChain(reset_time=-1e-9), "reset_time"),
        (lambda: SamplingChain(reset_time=0.0), "reset_time"),
        (lambda: run_chain(SamplingChain(reset_time=WINDOW), _column(), full_scale=1e-9), "window"),
        (lambda: run_chain(SamplingChain(conversion_delay=WINDOW), _column(), full_scale=1e-9), "conversion_delay"),
        (lambda: run_chain(SamplingChain(), _column(), full_scale=0.0), "full_scale"),
        (lambda: volts_per_step(SamplingChain(), WINDOW, math.inf), "full_scale"),
        (lambda: replace(_column(), cycles=2), "cycles"),
        (lambda: replace(_column(), conductance=np.array([math.nan])), "conductance"),
        (lambda: replace(_column(), cell=np.array([3])), "cell"),
        (lambda: replace(_column(), steps=np.zeros(2)), "steps"),
        (lambda: _column(cycles=3).excerpt(2, 2), "cycles"),
        (lambda: run_chain(SamplingChain(), _other_schedule(), full_scale=1e-9), "schedule"),
        (lambda: sampling_chain_deck(SamplingChain.ideal(), _column(), full_scale=1e-9), "chain"),
        (lambda: sampling_chain_deck(SamplingChain(adc=IdealADC()), _column(), full_scale=1e-9), "chain"),
        (lambda: sampling_chain_deck(SamplingChain(hold=IdealSampleAndHold()), _column(), full_scale=1e-9), "chain"),
        (lambda: sampling_chain_deck(SamplingChain(), _column(), full_scale=1e-9, ramp=0.0), "ramp"),
        (lambda: sampling_chain_deck(SamplingChain(), _column(), full_scale=1e-9, ramp=1e-7), "ramp"),
        (lambda: sampling_chain_deck(SamplingChain(), _column(), full_scale=1e-9, cells="diodes"), "cells"),  # type: ignore[arg-type]
        (lambda: chain_noise(SamplingChain(), _column(), 0.0), "temperature"),
    ],
)  # fmt: skip
def test_refusals(make: object, name: str) -> None:
    with pytest.raises(ArgumentError, match=rf"`({name})`"):
        make()  # type: ignore[operator]


def test_columns_that_the_array_does_not_have_are_refused(chip: Chip, point: OperatingPoint) -> None:
    for plus, minus, name in ((4, None, "plus"), (0, -1, "minus"), (1, 1, "minus")):
        with pytest.raises(FerrogenError, match=f"`{name}`"):
            _record(chip, point, plus, minus, 0, 1)
