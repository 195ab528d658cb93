"""SAR and flash converters: ideal limits, drawn errors recovered from a ramp, noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ferrogen.circuit.converters import ADC, IdealADC
from ferrogen.circuit.readout.comparator import Comparator
from ferrogen.circuit.readout.flash import FlashADC
from ferrogen.circuit.readout.linearity import linearity_from_transitions, ramp_linearity, sine_snr
from ferrogen.circuit.readout.sar import SarADC
from ferrogen.core.constants import BOLTZMANN
from ferrogen.core.errors import ArgumentError

close = partial(pytest.approx, rel=1e-6, abs=0.0)  # its own default would take any two femtojoules for equal

PERFECT = Comparator.ideal()
RNG = np.random.default_rng


def sar(bits: int = 8, **changes: Any) -> SarADC:
    """Return a SAR converter without any error but those asked for."""
    values: dict[str, Any] = {"unit_mismatch": 0.0, "comparator": PERFECT, "sampling_noise": False, **changes}
    return SarADC(bits, **values)


def flash(bits: int = 4, **changes: Any) -> FlashADC:
    """Return a flash converter without any error but those asked for."""
    return FlashADC(bits, **{"comparator": PERFECT, **changes})


@pytest.mark.parametrize("make", [sar, flash])
@pytest.mark.parametrize("bits", [2, 5, 8])
def test_without_errors_both_are_the_perfect_quantiser(make: Callable[[int], Any], bits: int) -> None:
    x = RNG(1).uniform(-1.3, 1.3, (500, 3, 7)) * 2e-8
    bank = make(bits).draw((3, 7), RNG(0))
    np.testing.assert_allclose(bank.convert(x, 2e-8), ADC(bits).quantise(x, 2e-8), rtol=1e-12, atol=1e-22)
    np.testing.assert_array_equal(make(bits).quantise(x, 2e-8), ADC(bits).quantise(x, 2e-8))


@pytest.mark.parametrize("design", [SarADC(6, unit_mismatch=0.05), FlashADC(5, comparator=Comparator(offset=0.02))])
def test_torch_and_numpy_agree_and_noise_is_an_argument(design: Any) -> None:
    x = RNG(2).uniform(-1.1, 1.1, (40, 2, 3))
    bank = design.draw((2, 3), RNG(5))
    normals = RNG(3).standard_normal((bank.normals_per_conversion, *x.shape))
    tensor = bank.convert(torch.from_numpy(x), 1.0, torch.from_numpy(normals))
    np.testing.assert_allclose(tensor.numpy(), bank.convert(x, 1.0, normals), rtol=1e-12)
    np.testing.assert_array_equal(bank.convert(x, 1.0), bank.convert(x, 1.0))
    assert np.any(bank.convert(x, 1.0, normals) != bank.convert(x, 1.0))
    single = bank.convert(torch.from_numpy(x).float(), 1.0)
    assert single.dtype == torch.float32


def test_converters_of_a_bank_differ_and_the_seed_fixes_them() -> None:
    design = SarADC(8, unit_mismatch=0.05)
    one, two = design.draw((4,), RNG(1)), design.draw((4,), RNG(2))
    assert np.ptp(one.weights[:, -1]) > 0.0
    assert not np.array_equal(one.weights, two.weights)
    np.testing.assert_array_equal(one.weights, design.draw((4,), RNG(1)).weights)


def test_a_ramp_recovers_the_drawn_capacitors_of_a_sar() -> None:
    bits = 7
    bank = sar(bits, unit_mismatch=0.02).draw((1,), RNG(8))
    found = ramp_linearity(bank.codes, bits, per_step=1024)
    # Mismatch this small keeps the array monotonic: code k begins at the sum of its weights, half a step lower.
    codes = np.arange(2, 2**bits)
    sums = ((codes[:, None] >> np.arange(bits)) & 1) @ bank.weights[0]
    np.testing.assert_allclose(found.transitions, sums - 0.5 - 2 ** (bits - 1), atol=1.5 / 1024)
    levels = linearity_from_transitions(sums)
    np.testing.assert_allclose(found.differential, levels.differential, atol=4 / 1024)
    np.testing.assert_allclose(found.integral, levels.integral, atol=4 / 1024)
    assert np.abs(found.differential).max() > 0.05  # there was something to find
    assert found.missing == 0


def test_a_ramp_recovers_the_drawn_thresholds_of_a_flash() -> None:
    bits = 4
    bank = flash(bits, comparator=Comparator(offset=5e-3, noise=0.0)).draw((1,), RNG(4))
    found = ramp_linearity(bank.codes, bits, per_step=2048)
    expected = np.sort(bank.thresholds[0])[1:]  # the lowest one separates codes that are one to the symmetric range
    np.testing.assert_allclose(found.transitions, expected, atol=1.5 / 2048)


def test_thresholds_out_of_order_are_counted_and_codes_stay_monotonic() -> None:
    bank = flash(5, comparator=Comparator(offset=0.15, noise=0.0)).draw((1,), RNG(3))
    assert np.any(np.diff(bank.thresholds[0]) < 0.0)  # bubbles there are
    ramp = np.linspace(-18.0, 18.0, 3001)[:, None]
    codes = bank.codes(ramp)[:, 0]
    brute = (ramp >= bank.thresholds[0]).sum(axis=1) - 16
    np.testing.assert_array_equal(codes, np.clip(brute, -15, 15))
    assert np.all(np.diff(codes) >= 0.0)


@pytest.mark.parametrize("bits", [4, 8])
def test_spread_of_the_mid_scale_step_is_the_closed_form(bits: int) -> None:
    sigma, count = 0.003, 20000
    weights = sar(bits, unit_mismatch=sigma).draw((count,), RNG(6)).weights
    differential = weights[:, -1] - weights[:, :-1].sum(axis=1) - 1.0
    # A standard deviation from n normals has the relative error 1 / sqrt(2 n); two-sided 1e-3. The normalisation by the
    # sum of all capacitors changes the formula by less than 2^-B of it.
    expected = sigma * math.sqrt(2**bits - 1)
    assert differential.std() == close(expected, rel=3.3 / math.sqrt(2 * count) + 2.0**-bits)


def test_an_offset_only_shifts_the_codes() -> None:
    design = sar(8, comparator=Comparator(offset=0.02, noise=0.0))
    bank = design.draw((5,), RNG(2))
    x = RNG(3).uniform(-100.0, 100.0, (2000, 5))
    np.testing.assert_array_equal(bank.codes(x), design.draw((5,), RNG(2)).codes(x))
    shift = bank.offset
    assert np.abs(shift).max() > 1.0
    inside = sar(8).draw((5,), RNG(0)).codes(x + shift)
    np.testing.assert_array_equal(bank.codes(x), inside)
    for k in range(5):
        found = ramp_linearity(partial(_one, bank, k), 8, per_step=512, margin=20.0)
        assert np.abs(found.differential).max() < 3 / 512
        assert found.transitions[0] == close(-126.5 - shift[k], abs=2 / 512)


def _one(bank: Any, k: int, ramp: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(bank.codes(np.broadcast_to(ramp, (ramp.shape[0], 5)))[:, k : k + 1])


@pytest.mark.parametrize("make", [ADC, sar, flash])
@pytest.mark.parametrize("bits", [6, 8, 10])
def test_signal_to_noise_ratio_of_an_ideal_quantiser(make: Callable[[int], Any], bits: int) -> None:
    design = make(bits)
    convert = (
        (lambda x: design.quantise(x, 1.0)) if make is ADC else (lambda x: design.draw((1,), RNG(0)).convert(x, 1.0))
    )
    # 2^B - 1 symmetric codes hold a sine of amplitude (2^(B-1) - 1) steps: 2^B / (2^B - 2) less than the formula's.
    expected = 6.0206 * bits + 1.761 + 20.0 * math.log10(1.0 - 2.0 ** (1 - bits))
    # Bennett's white noise is an approximation: the power of the error differs by a few per cent (0.2 dB) at 6 bits.
    assert sine_snr(convert, 1.0) == close(expected, abs=0.25)


def test_sampled_noise_is_that_of_the_array() -> None:
    design = sar(10, sampling_noise=True, unit_capacitance=1e-18)
    bank = design.draw((1,), RNG(0))
    count = 200000
    normals = RNG(1).standard_normal((1, count, 1))
    codes = bank.convert(np.full((count, 1), 0.1), 0.6, normals, temperature=350.0) / design.step
    rms = math.sqrt(2.0 * BOLTZMANN * 350.0 / (1024 * 1e-18)) / design.step  # two sides
    assert rms > 1.0
    # the variance of rounding, 1/12, adds; level 1e-3
    assert codes.std() == close(math.sqrt(rms**2 + 1 / 12), rel=3.3 / math.sqrt(2 * count) + 1e-3)
    assert codes.mean() == close(0.1 / design.step, abs=3.3 * codes.std() / math.sqrt(count))


def test_noisy_decisions_scatter_codes_about_a_threshold() -> None:
    design = sar(8, comparator=Comparator(offset=0.0, noise=0.2 * 0.6 / 127))
    bank = design.draw((1,), RNG(0))
    count = 40000
    held = np.full((count, 1), 0.5 + 0.1)  # a tenth of a step above a threshold, half a noise: only the last decision
    codes = bank.codes(held, RNG(5).standard_normal((8, count, 1)))
    share = 0.5 * (1.0 + math.erf(0.5 / math.sqrt(2.0)))
    assert set(np.unique(codes)) <= {0.0, 1.0}
    assert np.mean(codes == 1.0) == close(share, abs=3.3 * math.sqrt(share * (1 - share) / count))


@pytest.mark.parametrize("bits", [3, 5])
def test_energy_of_a_sar_array_is_the_average_over_all_codes(bits: int) -> None:
    design = sar(bits, logic_energy=0.0, unit_capacitance=1e-15, reference=1.0)
    total = np.mean([_switching(code, bits) for code in range(2**bits)])
    assert design.energy() == close(total * 1e-15, rel=1e-12)
    # the number in Liu 2010 for ten bits
    ten = sar(10, logic_energy=0.0, unit_capacitance=1e-15, reference=1.0)
    assert ten.energy() == close(1363.3e-15, rel=1e-4)


def _switching(code: int, bits: int) -> float:
    """Charge that both sides of an array draw from a reference of 1 V in a conversion, by conservation of charge.

    Each side has capacitors 2^(B-1), ..., 1 and a dummy of 1 below a floating top plate. One side tries its bits from
    all at ground, the other does the opposite; whatever input was sampled only adds a constant to the top plates.
    """
    capacitors = np.array([2.0 ** (bits - 1 - i) for i in range(bits)] + [1.0])
    bottom = np.zeros(bits + 1)
    states = [bottom]
    for i in range(bits):
        bottom = bottom.copy()
        bottom[i] = 1.0
        if i > 0 and not (code >> (bits - i)) & 1:
            bottom[i - 1] = 0.0
        states.append(bottom)
    drawn = 0.0
    for side in (states, [np.zeros(bits + 1), *(1.0 - state for state in states[1:])]):
        for before, after in itertools.pairwise(side):
            top = capacitors @ (after - before) / capacitors.sum()
            drawn += float(np.sum(capacitors * after * (after - before - top)))  # into plates on the reference
    return drawn


def test_energy_and_latency_by_their_formulas() -> None:
    design = SarADC(8)
    assert design.latency() == close(9e-8)
    assert design.energy() == close(design.switching_energy() + 8 * (design.comparator.energy() + design.logic_energy))
    assert ADC(8).energy() == close(256 * 5e-14)
    flat = FlashADC(6)
    assert flat.comparators == 63
    assert flat.energy() == close(63 * (flat.comparator.energy() + flat.decoder_energy))
    assert FlashADC(7).energy() / flat.energy() == close(127 / 63)
    assert (IdealADC().energy(), IdealADC().latency()) == (0.0, 0.0)


@pytest.mark.parametrize("bits", [1, 25, 8.5])
def test_bits_that_are_none(bits: Any) -> None:
    for make in (SarADC, FlashADC):
        with pytest.raises(ArgumentError, match="`bits`"):
            make(bits)
    with pytest.raises(ArgumentError, match="SarADC"):
        FlashADC(13)


def test_a_full_scale_that_is_none_is_refused() -> None:
    for design in (SarADC(4), FlashADC(4)):
        with pytest.raises(ArgumentError, match="`full_scale`"):
            design.draw((1,), RNG(0)).convert(np.zeros((1, 1)), 0.0)


def test_figures_of_levels_that_are_none() -> None:
    for levels in (np.array([0.0, 1.0]), np.array([0.0, 1.0, math.nan]), np.array([2.0, 1.0, 0.0])):
        with pytest.raises(ArgumentError, match="`transitions`"):
            linearity_from_transitions(levels)
    with pytest.raises(ArgumentError, match="`periods`"):
        sine_snr(lambda x: x, 1.0, samples=64, periods=4)
    with pytest.raises(ArgumentError, match="`margin`"):
        ramp_linearity(lambda x: np.zeros(x.shape), 4)
