"""Bits from telegraph noise: their probabilities, their independence, their limits."""

import math

import numpy as np
import pytest
from scipy import stats

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import ArgumentError, CapacityError, SilentCellsError, ValidityError
from ferrogen.sampler.bits import BitCalibration, BitSampler, BitSpec
from ferrogen.sampler.logistic_fit import fit_logistic

FALSE_ALARM = 1e-3
KELVIN_PER_EV = 8.617333262e-5


def make_chip(card: str = "hzo-mfis-nor", seed: int = 3, lines: int = 128) -> tuple[Chip, OperatingPoint]:
    chip = Chip(card, seed=seed, spec=ChipSpec(rows=lines, columns=lines, tiles=1))
    chip.program(0, np.full((chip.spec.rows, chip.spec.columns), chip.window.high), samples=True)
    return chip, OperatingPoint.for_card(chip.device, sampling_time=1e-2)


@pytest.fixture(scope="module")
def sampler() -> BitSampler:
    return BitSampler(*make_chip(), bits=24)


@pytest.fixture(scope="module")
def followed(sampler: BitSampler) -> BitSampler:
    return BitSampler(sampler.chip, sampler.point, bits=24, calibration=sampler.in_use, fidelity="cell")


def independent_probability(sampler: BitSampler, voltage: float) -> np.ndarray:
    """Solve dp/dt = a (1 - p) - b p in steps, with the multiphonon rates written out here."""
    trap, point = sampler.cells.trap, sampler.point
    kt = KELVIN_PER_EV * point.temperature

    def rates(volt: float) -> tuple[np.ndarray, np.ndarray]:
        d, s = trap.level - volt * trap.relative_depth, trap.relaxation_energy
        return (
            trap.attempt_rate * np.exp(-((s + d) ** 2) / (4 * s * kt)),
            trap.attempt_rate * np.exp(-((s - d) ** 2) / (4 * s * kt)),
        )

    a, b = rates(point.multiply_voltage)
    p = a / (a + b)
    a, b = rates(voltage)
    matrix = np.zeros((p.size, 2, 2))
    matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 1, 0], matrix[:, 1, 1] = -a, b, a, -b
    for k in range(p.size):
        value, vector = np.linalg.eig(matrix[k])
        grown = vector @ np.diag(np.exp(value * point.sampling_time)) @ np.linalg.inv(vector)
        p[k] = (grown @ np.array([1.0 - p[k], p[k]]))[1]
    return p


@pytest.mark.parametrize("voltage", [0.4, 0.8, 1.0, 1.3])
def test_the_law_is_that_of_the_rate_equations(sampler: BitSampler, voltage: float) -> None:
    exact = independent_probability(sampler, voltage)
    np.testing.assert_allclose(sampler.probability([[voltage]])[0], exact, rtol=1e-9, atol=1e-12)


def test_the_settled_law_is_logistic_with_the_traps_own_half_and_width(sampler: BitSampler) -> None:
    cells = sampler.cells
    width = KELVIN_PER_EV * sampler.point.temperature / cells.trap.relative_depth
    voltage = cells.half + 1.3 * width
    expected = 1.0 / (1.0 + math.exp(-1.3))
    np.testing.assert_allclose(sampler.probability(voltage[None])[0], expected, rtol=math.exp(-sampler.spec.settling))


@pytest.mark.parametrize("fidelity", ["statistical", "cell"])
@pytest.mark.parametrize("voltage", [0.7, 0.9, 1.1])
def test_bits_have_the_probability_of_their_voltage(
    sampler: BitSampler, followed: BitSampler, fidelity: str, voltage: float
) -> None:
    which, reads = (sampler if fidelity == "statistical" else followed), 1500
    at = which.in_use
    logits = np.tile((voltage - at.half) / at.width, (reads, 1))
    ones = which.draw_logits(logits, np.arange(reads)).sum(axis=0)
    step = (1.5 - which.spec.lowest_voltage) / (2**which.spec.converter_bits - 1)
    realised = which.spec.lowest_voltage + step * round((voltage - which.spec.lowest_voltage) / step)
    p = independent_probability(which, realised)
    # All bits together: their standardised squares are chi-squared; each has its binomial bounds as well. The trap's
    # cell and comparator may err once in 1 / Q(4) reads.
    z = (ones - reads * p) / np.sqrt(reads * p * (1.0 - p) + 0.1)
    assert np.sum(z**2) < stats.chi2.isf(FALSE_ALARM, z.size) + 2.0
    assert np.all(np.abs(z) < stats.norm.isf(FALSE_ALARM / 48) + 0.5)


def test_calibration_finds_half_and_width_within_its_statistical_error(sampler: BitSampler) -> None:
    cells, found = sampler.cells, sampler.in_use
    width = KELVIN_PER_EV * sampler.point.temperature / cells.trap.relative_depth
    # Fisher information of 16 voltages with 1024 bits each; the unsettled share moves the centre by e^-6 of a width.
    x = (np.linspace(0.3, 1.5, 16)[:, None] - cells.half) / width
    weight = 1024 / (4.0 * np.cosh(0.5 * x) ** 2)
    determinant = weight.sum(axis=0) * (weight * x**2).sum(axis=0) - (weight * x).sum(axis=0) ** 2
    error = np.sqrt((weight * x**2).sum(axis=0) / determinant)  # of the centre, in widths
    limit = stats.norm.isf(FALSE_ALARM / 48)
    assert np.all(np.abs(found.half - cells.half) / width < limit * error + 0.02)
    assert np.std((found.half - cells.half) / width / error) < 1.8
    assert np.all(np.abs(found.width / width - 1.0) < 0.15)


def test_the_fit_finds_a_known_curve() -> None:
    volts = np.linspace(0.0, 2.0, 12)
    half, width = np.array([0.7, 1.2]), np.array([0.1, 0.2])
    share = 1.0 / (1.0 + np.exp(-(volts[:, None] - half) / width))
    found = fit_logistic(volts, share * 1e9, 10**9)
    np.testing.assert_allclose(found, [half, width], rtol=1e-6)


def test_asked_probabilities_come_out(sampler: BitSampler) -> None:
    reads = 4000
    asked = np.broadcast_to(np.linspace(0.1, 0.85, 24), (reads, 24))
    share = sampler.draw(asked, 10).mean(axis=0)
    # Half a converter step and the calibration's error come on top of the counting error.
    allowed = stats.norm.isf(FALSE_ALARM / 48) * np.sqrt(asked[0] * (1 - asked[0]) / reads)
    low, high = sampler.reach
    within = (asked[0] > low) & (asked[0] < high)
    assert within.sum() >= 20
    assert np.all(np.abs(share - asked[0])[within] < (allowed + 0.035)[within])
    assert np.corrcoef(share, asked[0])[0, 1] > 0.99


@pytest.mark.parametrize("fidelity", ["statistical", "cell"])
def test_successive_bits_and_neighbouring_bits_are_independent(
    sampler: BitSampler, followed: BitSampler, fidelity: str
) -> None:
    which, reads = (sampler if fidelity == "statistical" else followed), 3000
    bits = which.draw_logits(np.zeros((reads, 24)), np.arange(reads)).astype(float)
    centred = (bits - bits.mean(axis=0)) / bits.std(axis=0)
    lag = (centred[1:] * centred[:-1]).mean(axis=0) * math.sqrt(reads)
    across = (centred[:, 1:] * centred[:, :-1]).mean(axis=0) * math.sqrt(reads)
    for correlation in (lag, across):
        assert np.sum(correlation**2) < stats.chi2.isf(FALSE_ALARM, correlation.size)


def test_what_a_bit_remembers_is_the_exponential_of_all_moves(sampler: BitSampler) -> None:
    memory = sampler.cells.memory(sampler.in_use.half[None], sampler.point)[0]
    assert np.all(memory < math.exp(-sampler.spec.settling))
    assert np.all(memory < 1e-12)  # at rest a trap is tens of times faster


def test_bits_depend_on_their_cycle_only(sampler: BitSampler, followed: BitSampler) -> None:
    logits = np.random.default_rng(1).normal(size=(40, 24))
    cycles = np.arange(500, 540)
    order = np.random.default_rng(2).permutation(40)
    for which in (sampler, followed):
        whole = which.draw_logits(logits, cycles)
        np.testing.assert_array_equal(which.draw_logits(logits[order], cycles[order]), whole[order])
        np.testing.assert_array_equal(which.draw_logits(logits[7:9], cycles[7:9]), whole[7:9])
    again = BitSampler(*make_chip(), bits=24)
    np.testing.assert_array_equal(again.draw_logits(logits, cycles), sampler.draw_logits(logits, cycles))
    assert not np.array_equal(
        BitSampler(*make_chip(seed=4), bits=24).draw_logits(logits, cycles), sampler.draw_logits(logits, cycles)
    )


def test_what_is_out_of_reach_is_counted_and_gets_the_end(sampler: BitSampler) -> None:
    before, drawn = sampler.out_of_reach, sampler.drawn
    bits = sampler.draw(np.tile([[0.0, 1.0] * 12], (2000, 1)), 0)
    assert sampler.out_of_reach - before == bits.size == sampler.drawn - drawn
    ends = sampler.probability([[0.3], [1.5]])
    expected = np.where(np.arange(24) % 2 == 0, ends[0], ends[1])
    z = (bits.sum(axis=0) - 2000 * expected) / np.sqrt(2000 * expected * (1 - expected) + 1.0)
    assert np.sum(z**2) < stats.chi2.isf(FALSE_ALARM, 24)
    sampler.draw(np.full((3, 24), 0.5), 0)
    assert sampler.out_of_reach - before == bits.size


def test_chosen_traps_outweigh_all_else_in_their_cells(sampler: BitSampler) -> None:
    cells, spec = sampler.cells, sampler.spec
    assert np.unique(cells.cell // sampler.chip.spec.rows).size == cells.count  # one a bit line
    for k in range(cells.count):
        others = cells.other_steps[cells.other_starts[k] : cells.other_starts[k + 1]].sum()
        assert others < cells.threshold[k] - spec.safety * cells.noise[k] * (1 - 1e-9)
        assert cells.step[k] > cells.threshold[k] + spec.safety * cells.noise[k] * (1 - 1e-9)
    capture, emission = cells.trap.rates(cells.half, 300.0)
    np.testing.assert_allclose(capture, emission)
    slowest = 0.5 / capture
    assert np.all(slowest * spec.settling <= sampler.point.sampling_time)
    assert np.all(slowest >= spec.senses * spec.sense_time)


@pytest.mark.parametrize("card", ["ideal", "hzo-al2o3-bilayer", "hzo-3nm-direct"])
def test_cards_without_a_trap_that_stands_out_are_refused(card: str) -> None:
    chip, point = make_chip(card, lines=48)
    high = chip.device.validity.read_voltage[1]
    with pytest.raises(SilentCellsError, match="none of the 2304"):
        BitSampler(chip, point, 4, BitSpec(highest_voltage=high))


def test_bad_arguments_are_named(sampler: BitSampler) -> None:
    chip, point = sampler.chip, sampler.point
    with pytest.raises(CapacityError, match="5000 bits"):
        BitSampler(chip, point, 5000)
    with pytest.raises(ArgumentError, match="`bits`"):
        BitSampler(chip, point, 0)
    with pytest.raises(ArgumentError, match="fidelity"):
        BitSampler(chip, point, 1, fidelity="exact")  # type: ignore[arg-type]
    with pytest.raises(ValidityError, match="highest_voltage"):
        BitSampler(chip, point, 1, BitSpec(highest_voltage=5.0))
    with pytest.raises(ArgumentError, match="calibration"):
        BitSampler(chip, point, 2, calibration=BitCalibration(np.ones(3), np.ones(3), 1))
    with pytest.raises(ArgumentError, match="tiles"):
        BitSampler(chip, point, 1, tiles=[])
    with pytest.raises(ArgumentError, match=r"\[0, 1\]"):
        sampler.draw(np.full((1, 24), 1.5), 0)
    with pytest.raises(ArgumentError, match="shapes"):
        sampler.draw_logits(np.zeros((2, 23)), np.arange(2))
    with pytest.raises(ArgumentError, match="cycles"):
        sampler.draw_logits(np.zeros((1, 24)), np.array([-1]))
    with pytest.raises(ArgumentError, match="logits"):
        sampler.draw_logits(np.full((1, 24), np.nan), np.array([0]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lowest_voltage", 0.0),
        ("highest_voltage", 0.1),
        ("converter_bits", 0),
        ("sense_time", math.nan),
        ("settling", -1.0),
        ("calibration_voltages", 2),
        ("calibration_reads", 3),
    ],
)
def test_specs_that_cannot_be_used(name: str, value: float) -> None:
    with pytest.raises(ArgumentError, match=name):
        BitSpec(**{name: value})
