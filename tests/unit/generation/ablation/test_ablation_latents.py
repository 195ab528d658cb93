"""The sampler with imperfections switched off: the normals beneath, and the real sampler on top."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import ArgumentError, SilentCellsError
from ferrogen.core.normals import standard_normals
from ferrogen.device.card import load_card
from ferrogen.generation.ablation.latents import FULL_SAMPLER, IDEAL_SAMPLER, SwitchedSampler
from ferrogen.mapping.budget import without_traps
from ferrogen.sampler.latents import LatentSampler, SamplerSpec

_SPEC = SamplerSpec(calibration_reads=512)
_LATENTS = 3


def _chip(*, card_traps: bool = True) -> Chip:
    card = load_card("hzo-mfis-nor")
    chip = Chip(
        card if card_traps else without_traps(card), seed=3, spec=ChipSpec(rows=24, columns=16, tiles=1), threads=1
    )
    chip.program(0, np.full((24, 16), chip.window.high), samples=True)
    return chip


@pytest.fixture(scope="module")
def sampler() -> SwitchedSampler:
    chip = _chip()
    return SwitchedSampler(chip, OperatingPoint.for_card(chip.device), _LATENTS, [0], _SPEC)


def test_with_everything_it_is_the_chips_sampler_bit_for_bit(sampler: SwitchedSampler) -> None:
    real = LatentSampler(sampler.chip, sampler.point, _LATENTS, _SPEC)
    np.testing.assert_array_equal(sampler.draw(FULL_SAMPLER, 5, 40), real.draw(5, 40).astype(np.float32))


def test_with_nothing_the_latents_are_the_normals_of_the_cycles(sampler: SwitchedSampler) -> None:
    found = sampler.draw(IDEAL_SAMPLER, 7, 50)
    reader = sampler.chip.reader(
        sampler.point, tile=0, readings=_LATENTS, pairs_per_reading=2, resolved_share=0.99, fidelity="statistical"
    )
    # Cycles 0 to 255 find the range, 512 more the calibration; addresses of normals are shifted by the longest memory.
    rows = np.arange(50, dtype=np.int64) + 256 + 512 + 7 + 64
    expected = standard_normals(reader._key, rows, _LATENTS)
    # Readings are looked up in tables: the last digits of normals come back through sums of them.
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=2e-6)


@pytest.mark.parametrize("name", ["shape", "links", "converter", "calibration"])
def test_every_switch_changes_the_latents_alone_and_left_out(sampler: SwitchedSampler, name: str) -> None:
    ideal, full = sampler.draw(IDEAL_SAMPLER, 0, 64), sampler.draw(FULL_SAMPLER, 0, 64)
    alone = sampler.draw(replace(IDEAL_SAMPLER, **{name: True}), 0, 64)
    left = sampler.draw(replace(FULL_SAMPLER, **{name: False}), 0, 64)
    assert 1e-4 < np.sqrt(np.mean((alone - ideal) ** 2)) < 0.5
    assert 1e-4 < np.sqrt(np.mean((left - full) ** 2)) < 0.5
    # Coupled: the same numbers, a little changed.
    assert np.corrcoef(alone.ravel(), ideal.ravel())[0, 1] > 0.9


def test_calibration_alone_shifts_and_scales_every_latent(sampler: SwitchedSampler) -> None:
    ideal = sampler.draw(IDEAL_SAMPLER, 0, 64).astype(np.float64)
    alone = sampler.draw(replace(IDEAL_SAMPLER, calibration=True), 0, 64).astype(np.float64)
    for k in range(_LATENTS):
        slope, offset = np.polyfit(ideal[:, k], alone[:, k], 1)
        np.testing.assert_allclose(alone[:, k], slope * ideal[:, k] + offset, atol=5e-6)
        # 512 reads: mean within 4 / sqrt(512), deviation within 4 / sqrt(1024), each latent 1e-4.
        assert abs(offset) < 4.0 / np.sqrt(512)
        assert abs(slope - 1.0) < 4.0 / np.sqrt(1024)


def test_converter_alone_leaves_as_many_values_as_it_has_codes(sampler: SwitchedSampler) -> None:
    found = sampler.draw(replace(IDEAL_SAMPLER, converter=True), 0, 4000)
    assert 100 < len(np.unique(found[:, 0])) < 2**10


def test_links_are_gone_and_the_distribution_stays(sampler: SwitchedSampler) -> None:
    few = sampler.draw(replace(FULL_SAMPLER, links=False), 0, 20_000).astype(np.float64)
    # Bartlett: a lag's coefficient of white numbers has the deviation 1/sqrt(n). 3 latents, level 1e-3.
    for column in few.T:
        assert abs(np.corrcoef(column[:-1], column[1:])[0, 1]) < 3.6 / np.sqrt(len(column))
    linked = sampler.draw(FULL_SAMPLER, 0, 20_000)
    worst = min(stats.ks_2samp(few[::40, k], linked[::40, k]).pvalue for k in range(_LATENTS))
    assert worst > 1e-3 / _LATENTS


def test_without_telegraph_noise_the_amplifier_is_left(sampler: SwitchedSampler) -> None:
    found = sampler.draw(replace(FULL_SAMPLER, telegraph=False, converter=False), 0, 2000)
    normal = sampler.draw(IDEAL_SAMPLER, 0, 2000)
    # Normal and white: the same normals, but for 512 reads of calibration.
    np.testing.assert_allclose(found, normal, atol=1.2)
    assert np.corrcoef(found[:, 0], normal[:, 0])[0, 1] > 0.999999


def test_no_noise_at_all_is_refused_and_silent_cells_are_named(sampler: SwitchedSampler) -> None:
    with pytest.raises(ArgumentError, match="leave telegraph or amplifier noise"):
        sampler.draw(replace(FULL_SAMPLER, telegraph=False, amplifier=False), 0, 4)
    chip = _chip(card_traps=False)
    quiet = SwitchedSampler(chip, OperatingPoint.for_card(chip.device), _LATENTS, [0], _SPEC)
    with pytest.raises(SilentCellsError, match="3 of 3 readings never change"):
        quiet.draw(replace(FULL_SAMPLER, amplifier=False), 0, 4)
