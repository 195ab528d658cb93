"""Drawn circuits on a chip: ideal limits, addresses, and the variances that theory gives."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ferrogen.array.programming import IdealProgramming
from ferrogen.chip.blocks import whole_tiles
from ferrogen.chip.chip import Chip
from ferrogen.chip.placement import Placement
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.product import cell_product
from ferrogen.chip.readout import draw_converters, draw_readout
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.amplifier import Amplifier
from ferrogen.circuit.converters import ADC, DAC
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.readout.comparator import Comparator
from ferrogen.circuit.readout.flash import FlashADC
from ferrogen.circuit.readout.input_encoding import BitSerial, PulseWidth, serial_gain
from ferrogen.circuit.readout.integrator import CapacitiveIntegrator
from ferrogen.circuit.readout.multiplexer import Multiplexer
from ferrogen.circuit.readout.sample_hold import SampleHold
from ferrogen.circuit.readout.sar import SarADC, SarConverters
from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.mapping.layer import map_linear

close = partial(pytest.approx, rel=1e-6, abs=0.0)  # its own default would take any two femtojoules for equal

ROWS, COLUMNS, PAIRS = 32, 16, 8
POINT = OperatingPoint(multiply_voltage=0.2)
CARD = load_card("hzo-mfis-nor")
SILENT = CARD.model_copy(update={"traps_per_cell": CARD.traps_per_cell.model_copy(update={"value": 0.0})})
PERFECT_SAR = SarADC(8, unit_mismatch=0.0, comparator=Comparator.ideal(), sampling_noise=False)
FULL_SCALE = 1e-8


def _chip(card: DeviceCard = SILENT, seed: int = 3, *, tiles: int = 1, **periphery: Any) -> Chip:
    """Return a chip whose periphery is ideal but for what is given."""
    spec = ChipSpec(
        rows=ROWS,
        columns=COLUMNS,
        tiles=tiles,
        programming=IdealProgramming(),
        continuous_levels=True,
        periphery=replace(Periphery.ideal(), **periphery),
    )
    chip = Chip(card, seed=seed, spec=spec)
    for number in range(tiles):
        target = np.random.default_rng(1).uniform(chip.window.low, chip.window.high, (ROWS, COLUMNS))
        chip.program(number, target, samples=True)
    return chip


def _inputs(batch: int = 64, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(-1.0, 1.0, (batch, ROWS)).astype(np.float32))


def _ideal(chip: Chip, x: torch.Tensor) -> NDArray[np.float64]:
    matrices = chip.product_matrices([[0]], POINT, PAIRS)
    return np.asarray(x.double().numpy() @ matrices.mean[0].double().numpy() * matrices.drive)


@pytest.mark.parametrize("dac", [DAC(14), PulseWidth(14), BitSerial(14)], ids=lambda dac: type(dac).__name__)
def test_all_encodings_give_the_ideal_product_in_the_ideal_limit(dac: Any) -> None:
    chip = _chip(dac=dac)
    x = _inputs()
    # 14 bits round each input by less than 1 / (2 * 8191): the sum of 32 such errors, and float32, stay below this.
    exact = _ideal(chip, x)
    np.testing.assert_allclose(chip.multiply(x, POINT).numpy(), exact, atol=3e-4 * np.abs(exact).max())
    if isinstance(dac, BitSerial):  # and to float32 the product of the rounded inputs
        rounded = _ideal(chip, dac.quantise(x))
        np.testing.assert_allclose(chip.multiply(x, POINT).numpy(), rounded, atol=3e-6 * np.abs(exact).max())


def test_a_constant_voltage_knows_no_characteristic_voltage() -> None:
    x, other = _inputs(), DAC(14, driver_mismatch=0.3)
    bent = np.abs(_chip(dac=other).multiply(x, POINT).numpy() - _ideal(_chip(), x)).max()
    pulsed = np.abs(_chip(dac=PulseWidth(14)).multiply(x, POINT).numpy() - _ideal(_chip(), x)).max()
    assert bent > 20.0 * pulsed


@pytest.mark.parametrize("adc", [PERFECT_SAR, FlashADC(8, comparator=Comparator.ideal())])
def test_drawn_converters_without_errors_are_the_perfect_one(adc: Any) -> None:
    x = _inputs(200)
    expected = _chip(multiply_adc=ADC(8)).multiply(x, POINT, full_scale=FULL_SCALE)
    got = _chip(multiply_adc=adc).multiply(x, POINT, full_scale=FULL_SCALE)
    np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-6, atol=1e-15)


def test_perfect_circuits_are_not_drawn() -> None:
    chip = Chip(CARD, spec=ChipSpec(rows=ROWS, columns=COLUMNS, tiles=1))
    chip.program(0, np.full((ROWS, COLUMNS), chip.window.low), samples=True)
    assert chip.readout([[0]], POINT, chip.product_matrices([[0]], POINT, PAIRS)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"multiply_adc": SarADC(8, unit_mismatch=0.05)},
        {"multiply_adc": FlashADC(6, comparator=Comparator(offset=5e-3, noise=2e-3))},
        {"multiply_adc": ADC(10), "integrator": CapacitiveIntegrator(), "sample_hold": SampleHold(capacitance=1e-15)},
        {"dac": DAC(6, unit_mismatch=0.05, offset=0.3, noise=0.5), "multiply_adc": SarADC(10)},
        {"dac": PulseWidth(8, jitter=0.01), "multiply_adc": ADC(10)},
        {"dac": BitSerial(5, gain_error=0.02), "multiply_adc": SarADC(8)},
        {"multiply_amplifier": Amplifier(1e7, offset_voltage=1e-4)},
    ],
    ids=range(7),
)
def test_a_seed_fixes_a_chip_and_an_image_its_noise(changes: dict[str, Any]) -> None:
    x = _inputs(20)
    whole = _chip(**changes).multiply(x, POINT, full_scale=FULL_SCALE).numpy()
    parts = _chip(**changes)
    late = parts.multiply(x[12:], POINT, full_scale=FULL_SCALE, images=np.arange(12, 20)).numpy()
    early = parts.multiply(x[:12], POINT, full_scale=FULL_SCALE).numpy()
    np.testing.assert_allclose(np.concatenate([early, late]), whole, rtol=1e-5, atol=1e-14)
    other = _chip(seed=4, **changes).multiply(x, POINT, full_scale=FULL_SCALE).numpy()
    assert np.abs(other - whole).max() > 1e-12


def test_tiles_have_converters_of_their_own() -> None:
    chip = _chip(
        tiles=2, multiply_adc=SarADC(8, unit_mismatch=0.05, sampling_noise=False, comparator=Comparator.ideal())
    )
    matrices = chip.product_matrices([[0, 1]], POINT, 2 * PAIRS)
    readout = chip.readout([[0, 1]], POINT, matrices)
    assert readout is not None
    weights = readout.converters.weights[0, 0]  # type: ignore[union-attr]
    assert weights.shape == (2 * PAIRS, 8)
    assert np.unique(weights[:, -1]).size == 2 * PAIRS  # ideal multiplexer: none shared
    stacked = chip.readout([[0], [1]], POINT, chip.product_matrices([[0], [1]], POINT, PAIRS))
    assert stacked is not None
    np.testing.assert_array_equal(stacked.converters.weights[1, 0], weights[PAIRS:])  # type: ignore[union-attr]


def test_pairs_that_share_a_converter_share_its_errors() -> None:
    chip = _chip(multiply_adc=SarADC(8, unit_mismatch=0.05), multiplexer=Multiplexer(pairs_per_converter=4))
    readout = chip.readout([[0]], POINT, chip.product_matrices([[0]], POINT, PAIRS))
    assert readout is not None
    weights = readout.converters.weights[0, 0]  # type: ignore[union-attr]
    assert np.unique(weights[:, -1]).size == 2
    np.testing.assert_array_equal(weights[:4], np.broadcast_to(weights[0], (4, 8)))


def test_an_amplifiers_offset_shows_without_inputs() -> None:
    amplifier = Amplifier(feedback_resistance=1e7, voltage_noise=0.0, offset_voltage=1e-3)
    chip = _chip(multiply_amplifier=amplifier)
    point = replace(POINT, temperature=300.0, multiply_time=1.0, reset_time=2.0)  # long, so that noise is small
    out = chip.multiply(torch.zeros((1, ROWS)), point, full_scale=1e-6).numpy()[0]
    volts = amplifier.draw((PAIRS,), chip.streams.generator(Purpose.CONVERTER_MISMATCH, 0, 3))
    conductance = chip.product_matrices([[0]], point, PAIRS).total[0].sum(dim=0).numpy()
    np.testing.assert_allclose(out, volts * (conductance + 1e-7), rtol=0.01, atol=2e-13)
    assert np.abs(out).max() > 1e-10


def test_voltage_noise_that_drives_the_cells_is_in_the_products() -> None:
    amplifier = Amplifier(feedback_resistance=1e9, voltage_noise=1e-6, input_capacitance=0.0, noise_gain=True)
    chip, batch = _chip(multiply_amplifier=amplifier), 6000
    out = chip.multiply(torch.zeros((batch, ROWS)), POINT).double().numpy()
    lines = chip.product_matrices([[0]], POINT, PAIRS).total[0].sum(dim=0).double().numpy()
    expected = np.hypot(1e-6 * (1e-9 + lines) * math.sqrt(5e3), amplifier.noise_current(1e-4, 300.0, 0.0))
    # eight deviations, each from `batch` normals; Bonferroni at 1e-3 is 3.9 standard errors
    np.testing.assert_allclose(out.std(axis=0), expected, rtol=3.9 / math.sqrt(2 * batch))


def test_noise_of_a_bit_serial_product_adds_with_squared_weights() -> None:
    """Only amplifier noise: each plane has its share of the time, and their errors are independent."""
    amplifier = Amplifier(feedback_resistance=1e6, voltage_noise=0.0)
    bits, batch = 5, 6000
    chip = _chip(dac=BitSerial(bits), multiply_amplifier=amplifier)
    x = torch.zeros((batch, ROWS))
    out = chip.multiply(x, POINT).double().numpy()
    plane = float(amplifier.noise_current(POINT.multiply_time / (bits - 1), POINT.temperature, 0.0))
    expected = plane * math.sqrt(serial_gain(bits))
    assert out.std() == close(expected, rel=3.3 / math.sqrt(2 * batch * PAIRS))


def test_a_slow_trap_errs_in_a_bit_serial_product_as_in_one_read() -> None:
    batch = 6000
    x = _inputs(1).expand(batch, ROWS)
    serial, whole = _chip(CARD, dac=BitSerial(8)), _chip(CARD, dac=DAC(8))
    matrices = whole.product_matrices([[0]], POINT, PAIRS)
    seen = DAC(8).quantise(x[0].double())
    expected = np.sqrt((seen.square() @ matrices.variance[0].double()).numpy()) * matrices.drive
    assert expected.min() > 0.0
    for chip in (serial, whole):
        out = chip.multiply(x, POINT).double().numpy()
        # eight deviations, each from `batch` normals; Bonferroni at 1e-3 is 3.9 standard errors
        np.testing.assert_allclose(out.std(axis=0), expected, rtol=3.9 / math.sqrt(2 * batch))
        np.testing.assert_allclose(out.mean(axis=0), _ideal(chip, seen[None].float())[0], atol=5 * expected.max() / 77)


def test_rounding_of_planes_adds_with_squared_weights() -> None:
    bits, batch = 6, 3000
    chip = _chip(dac=BitSerial(bits), multiply_adc=ADC(9))
    x = _inputs(batch, seed=5)
    wide = 4.0 * FULL_SCALE  # no plane clips
    error = chip.multiply(x, POINT, full_scale=wide).double().numpy() - _ideal(chip, BitSerial(bits).quantise(x))
    step = wide / 255
    # The currents of planes spread over many steps, so rounding is uniform and independent, to a per cent or two.
    assert error.std() == close(step / math.sqrt(12.0) * math.sqrt(serial_gain(bits)), rel=0.03)


def test_both_levels_use_the_same_circuits() -> None:
    changes: dict[str, Any] = {
        "dac": BitSerial(5, gain_error=0.02),
        "multiply_adc": SarADC(8, unit_mismatch=0.05),
        "integrator": CapacitiveIntegrator(),
    }
    chip, x = _chip(**changes), _inputs(9)
    images = np.arange(9, dtype=np.int64)
    matrices = chip.product_matrices([[0]], POINT, PAIRS)
    noise = torch.zeros((1, 1, PAIRS))
    codes, clipped = cell_product(
        x,
        matrices.mean[None].expand(9, 1, ROWS, PAIRS),
        noise,
        chip.spec.periphery,
        FULL_SCALE,
        POINT,
        chip.device.characteristic_voltage.value,
        matrices.drive,
        noise_key=np.uint64(1),
        images=images,
        readout=chip.readout([[0]], POINT, matrices),
    )
    statistical = chip.multiply(x, POINT, full_scale=FULL_SCALE)
    np.testing.assert_allclose(codes.numpy(), statistical.numpy(), rtol=1e-5, atol=1e-14)
    assert clipped == chip.usage.clipped_conversions


def test_pairs_that_wait_longer_droop_further() -> None:
    hold = SampleHold(leakage_current=1e-9, capacitance=1e-12, resistance=0.0)
    chip = _chip(sample_hold=hold, multiply_adc=SarADC(16, **_NO_ERRORS), multiplexer=Multiplexer(4))
    point = replace(POINT, temperature=1e-6 + 250.0)
    out = chip.multiply(torch.zeros((4000, ROWS)), point, full_scale=FULL_SCALE).double().numpy().mean(axis=0)
    slot = Multiplexer(4).slot(hold.latency() + SarADC(16).latency())
    expected = -hold.droop(np.arange(8) % 4 * slot) * FULL_SCALE
    noise = hold.noise(250.0) * FULL_SCALE
    np.testing.assert_allclose(out, expected, atol=4.0 * noise / math.sqrt(4000) + FULL_SCALE / 32767)
    assert expected.min() < -5 * noise / math.sqrt(4000)


_NO_ERRORS: dict[str, Any] = {"unit_mismatch": 0.0, "comparator": Comparator.ideal(), "sampling_noise": False}


def test_a_slow_amplifier_and_a_small_swing_lose_signal() -> None:
    slow = Amplifier(feedback_resistance=1e12, voltage_noise=0.0, bandwidth=3e4)
    x = _inputs(5)
    exact = _ideal(_chip(), x)
    out = _chip(multiply_amplifier=slow).multiply(x, POINT, full_scale=1.0).numpy()
    # shot noise stays; it is far below a thousandth of the signal
    np.testing.assert_allclose(out, exact * slow.window_gain(POINT.multiply_time), atol=2e-3 * np.abs(exact).max())
    small = Amplifier(feedback_resistance=1e8, voltage_noise=0.0, swing=0.1)
    limited = _chip(multiply_amplifier=small).multiply(x, POINT, full_scale=1.0).numpy()
    assert np.abs(exact).max() > 1.5e-9
    assert np.abs(limited).max() == close(1e-9)


def test_sample_mode_converters_are_drawn_and_addressed_by_cycle() -> None:
    perfect, drawn = _chip(CARD, sample_adc=ADC(8)), _chip(CARD, sample_adc=PERFECT_SAR)
    expected = perfect.sample(POINT, range(40), full_scale=2e-8).current
    np.testing.assert_allclose(drawn.sample(POINT, range(40), full_scale=2e-8).current, expected, rtol=1e-9, atol=1e-20)
    real = SarADC(8, unit_mismatch=0.1, comparator=Comparator(offset=0.02, noise=5e-3))
    chip = _chip(CARD, sample_adc=real)
    whole = chip.sample(POINT, range(40), full_scale=2e-8).current
    assert np.any(whole != expected)
    again = _chip(CARD, sample_adc=real)
    np.testing.assert_array_equal(again.sample(POINT, range(25, 40), full_scale=2e-8).current, whole[25:])
    np.testing.assert_array_equal(again.sample(POINT, range(25), full_scale=2e-8, pairs=4).current, whole[:25, :4])


def test_a_saturated_sample_amplifier_is_told() -> None:
    chip = _chip(CARD, sample_amplifier=Amplifier(feedback_resistance=1e7, swing=0.5))
    with pytest.raises(ArgumentError, match="Lower its feedback resistance"):
        chip.sample(OperatingPoint(), range(2))


def test_a_leaky_integrator_takes_its_share_and_resets_with_noise() -> None:
    leaky = CapacitiveIntegrator(leakage_time=2e-4, reset_noise=False)
    x = _inputs(5)
    exact = _ideal(_chip(), x)
    out = _chip(integrator=leaky).multiply(x, POINT, full_scale=1.0).numpy()
    np.testing.assert_allclose(out, exact * leaky.gain(POINT.multiply_time), rtol=1e-4, atol=1e-14)
    noisy, batch = CapacitiveIntegrator(leakage_time=math.inf, amplifier_gain=math.inf), 6000
    codes = _chip(integrator=noisy).multiply(torch.zeros((batch, ROWS)), POINT, full_scale=FULL_SCALE).double().numpy()
    expected = noisy.noise_current(POINT.multiply_time, POINT.temperature, FULL_SCALE)
    assert codes.std() == close(expected, rel=3.3 / math.sqrt(2 * batch * PAIRS))


def test_both_modes_have_converters_of_their_own() -> None:
    chip = _chip(CARD, multiply_adc=SarADC(8), sample_adc=SarADC(8))
    banks = [draw_converters(SarADC(8), chip.spec, chip.streams, 0, samples=samples) for samples in (False, True)]
    assert isinstance(banks[0], SarConverters)
    assert isinstance(banks[1], SarConverters)
    assert not np.any(banks[0].weights[:, -1] == banks[1].weights[:, -1])


def test_repaired_pairs_keep_their_converters_and_turned_ones_their_sign() -> None:
    """The circuits of a placement are those of the physical lines; a pair turned round sees its current negated."""
    row_of = np.concatenate([[-1, 0, 0], np.arange(1, ROWS - 2)])
    pair_of, flipped = np.array([5, 0, 7]), np.array([False, True, False])
    placement = Placement(row_of, pair_of, flipped, ROWS - 2)
    design = SarADC(8, comparator=Comparator(offset=0.02, noise=0.0), sampling_noise=False)
    dac, amplifier = DAC(8, gain_error=0.1), Amplifier(1e7, offset_voltage=1e-3)
    chip = _chip(multiply_adc=design, dac=dac, multiply_amplifier=amplifier)
    loading = torch.full((1, 1, 3), ROWS - 2.0)
    grid = whole_tiles([[0]], ROWS - 2, 3, 3)
    readout = draw_readout(chip.spec, chip.streams, grid, [[placement]], POINT, loading)
    assert readout is not None
    bank = draw_converters(design, chip.spec, chip.streams, 0, samples=False)
    assert isinstance(bank, SarConverters)
    x = np.linspace(-0.9, 0.9, 61)[:, None] * FULL_SCALE * np.ones(3)
    got = readout.convert(torch.from_numpy(x)[None], FULL_SCALE, np.arange(61), 0)[0].numpy()
    sign = np.array([1.0, -1.0, 1.0])
    physical = np.zeros((61, PAIRS))
    physical[:, pair_of] = x * sign
    np.testing.assert_allclose(got, bank.convert(physical, FULL_SCALE)[:, pair_of] * sign, rtol=1e-6)
    volts = amplifier.draw((PAIRS,), chip.streams.generator(Purpose.CONVERTER_MISMATCH, 0, 3))[pair_of] * sign
    assert readout.offset_current is not None
    np.testing.assert_allclose(readout.offset_current[0, 0].numpy(), volts * (ROWS - 2 + 1e-7), rtol=1e-5)
    gains = dac.draw((ROWS,), chip.streams.generator(Purpose.CONVERTER_MISMATCH, 0, 2)).gain
    lines = np.concatenate([[1], np.arange(3, ROWS)])  # of two lines with the same input, the first one's driver
    np.testing.assert_array_equal(readout.inputs.gain[0, 0], gains[lines])


def test_a_layer_gives_converters_the_range_of_the_planes() -> None:
    """Planes carry more than the whole: with the whole's range they would clip."""
    spec = replace(_chip(dac=BitSerial(8), multiply_adc=ADC(8)).spec, tiles=4)
    chip = Chip(SILENT, seed=1, spec=spec)
    weight = np.random.default_rng(0).uniform(-1.0, 1.0, (PAIRS, ROWS))
    layer = map_linear(chip, weight, np.zeros(PAIRS))
    x = _inputs(256) ** 9  # mostly small: few inputs make up the whole, but all have bits set
    layer.calibrate(x, POINT)
    layer(x, POINT, np.arange(256))
    planes = [plane for _, plane in BitSerial(8).planes((x / layer.input_scale).double().numpy())]
    matrices = layer.matrices(POINT)
    current = np.abs(np.stack(planes) @ matrices.mean[0].double().numpy()) * matrices.drive
    assert layer.full_scale == close(current.max(), rel=0.1)
    whole = (x / layer.input_scale).double().numpy() @ matrices.mean[0].double().numpy() * matrices.drive
    assert layer.full_scale > 1.5 * np.abs(whole).max()
    assert chip.usage.clipped_conversions < 0.02 * current.size
