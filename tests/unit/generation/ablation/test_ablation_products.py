"""A decoder with imperfections of products switched off."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from ferrogen.chip.aging import Age
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.converters import ADC, IdealADC
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import ArgumentError, ValidityError
from ferrogen.device.card import load_card
from ferrogen.generation.ablation.products import (
    FULL_PRODUCTS,
    IDEAL_PRODUCTS,
    ProductBench,
    ProductSwitches,
    decode_ideally,
)
from ferrogen.generation.convolutional.model import ConvVAE, ConvVAESpec
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.sampler.latents import SamplerSpec

CARD = load_card("hzo-mfis-nor")
SWITCHES = tuple(
    item.name for item in fields(ProductSwitches) if item.name not in ("memory", "sharing", "stuck", "warmer", "age")
)


@pytest.fixture(scope="module")
def bench() -> ProductBench:
    vae = VAE(VAESpec(latent=2, hidden=(8,), encoder_channels=(2, 2, 2)))
    initialise(vae, torch.Generator().manual_seed(1))
    return _bench(vae, ChipSpec(rows=12, columns=800))


def _bench(vae: VAE | ConvVAE, spec: ChipSpec) -> ProductBench:
    return ProductBench(vae, CARD, spec, OperatingPoint.for_card(CARD), SamplerSpec(calibration_reads=512), 0)


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    return np.random.default_rng(5).standard_normal((150, 2)).astype(np.float32)


def _rms(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))


def test_an_ideal_chip_is_the_float_decoder_but_for_rounding(bench: ProductBench, latents: np.ndarray) -> None:
    found = bench.make(IDEAL_PRODUCTS).decode(latents)
    np.testing.assert_allclose(found, decode_ideally(bench.model, latents), atol=2e-6)


@pytest.mark.parametrize("name", SWITCHES)
def test_every_imperfection_is_seen_alone(bench: ProductBench, latents: np.ndarray, name: str) -> None:
    alone = bench.make(replace(IDEAL_PRODUCTS, **{name: True})).decode(latents)
    found = _rms(alone, decode_ideally(bench.model, latents))
    assert 2e-7 < found < 0.05, f"{name}: {found}"


def test_all_together_are_about_the_root_of_their_squares(bench: ProductBench, latents: np.ndarray) -> None:
    ideal = decode_ideally(bench.model, latents)
    each = [_rms(bench.make(replace(IDEAL_PRODUCTS, **{name: True})).decode(latents), ideal) for name in SWITCHES]
    whole = _rms(bench.make(FULL_PRODUCTS).decode(latents), ideal)
    assert 0.7 < whole / np.sqrt(np.sum(np.square(each))) < 1.4


def test_rounding_and_clipping_share_the_range_of_the_real_converter(bench: ProductBench, latents: np.ndarray) -> None:
    both = bench.make(replace(IDEAL_PRODUCTS, rounding=True, clipping=True))
    rounding = bench.make(replace(IDEAL_PRODUCTS, rounding=True))
    clipping = bench.make(replace(IDEAL_PRODUCTS, clipping=True))
    for real, rounds, clips in zip(both.linears, rounding.linears, clipping.linears, strict=True):
        assert clips.full_scale == pytest.approx(real.full_scale, rel=1e-6)
        # 8 bits: 127 steps a side; 11 bits: 1023 of the same size.
        assert rounds.full_scale / 1023 == pytest.approx(real.full_scale / 127, rel=1e-6)
    clipped = [made.chip.usage.clipped_conversions for made in (both, rounding, clipping) if made.decode(latents).size]
    assert clipped[1] == 0
    assert clipped[0] == clipped[2]


def test_without_memory_noise_is_white_and_with_it_it_lasts(bench: ProductBench) -> None:
    still = np.ones((600, 2), dtype=np.float32)
    means = {}
    for memory in (False, True):
        made = bench.make(replace(IDEAL_PRODUCTS, telegraph=True, memory=memory)).decode(still)
        halves = made[:300].mean(axis=0) - made[300:].mean(axis=0)
        means[memory] = float(np.sqrt(np.mean(halves**2))), float(made.std(axis=0).mean())
    # White: halves of 300 differ by sqrt(2 / 300) of a deviation; with traps of all speeds by several times as much.
    assert means[False][0] < 0.12 * means[False][1]
    assert means[True][0] > 3.0 * means[False][0]


def test_stuck_cells_a_warmer_chip_and_age_change_pictures(bench: ProductBench, latents: np.ndarray) -> None:
    plain = bench.make(FULL_PRODUCTS)
    before = plain.decode(latents)
    assert len(plain.sampling_tiles) == 1
    stuck = bench.make(replace(FULL_PRODUCTS, stuck=0.05))
    aged = bench.make(replace(FULL_PRODUCTS, age=Age(storage_time=1e6)))
    warm = bench.make(replace(FULL_PRODUCTS, warmer=50.0))
    assert warm.point.temperature == pytest.approx(350.0)
    for changed in (stuck, aged):
        assert _rms(changed.decode(latents), before) > 1e-3
        assert changed.sampling_tiles == plain.sampling_tiles
    assert _rms(warm.decode(latents), before) > 1e-5
    # Age and temperature come after the ranges were set.
    for changed in (aged, warm):
        assert [item.full_scale for item in changed.linears] == [item.full_scale for item in plain.linears]


def test_convolutions_are_ideal_without_imperfections_and_keep_ranges_apart() -> None:
    spec = ConvVAESpec(side=8, channels=3, latent=3, decoder_channels=(4,), encoder_channels=(2,))
    model = ConvVAE(spec)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    bench = _bench(model, ChipSpec(rows=48, columns=16, tiles=12))
    latents = np.random.default_rng(6).standard_normal((20, 3)).astype(np.float32)
    ideal = decode_ideally(model, latents)
    assert ideal.shape == (20, 8, 8, 3)
    np.testing.assert_allclose(bench.make(IDEAL_PRODUCTS).decode(latents), ideal, atol=2e-6)
    for name in ("rounding", "clipping", "levels"):
        assert _rms(bench.make(replace(IDEAL_PRODUCTS, **{name: True})).decode(latents), ideal) > 1e-6
    full = bench.make(FULL_PRODUCTS)
    assert _rms(full.decode(latents), ideal) > 1e-4
    assert len(full.sampling_tiles) == 1
    warm = bench.make(replace(FULL_PRODUCTS, warmer=50.0))
    assert 0.0 < _rms(warm.decode(latents), full.decode(latents)) < 0.05


def test_a_chip_whose_converters_cannot_be_told_apart_is_refused_and_one_too_warm() -> None:
    vae = VAE(VAESpec(latent=2, hidden=(8,), encoder_channels=(2, 2, 2)))
    with pytest.raises(ArgumentError, match="have an `ADC` for products"):
        _bench(vae, ChipSpec(periphery=Periphery(multiply_adc=IdealADC())))
    initialise(vae, torch.Generator().manual_seed(1))
    hot = _bench(vae, ChipSpec(rows=12, columns=800, periphery=Periphery(multiply_adc=ADC(6))))
    with pytest.raises(ValidityError, match="temperature"):
        hot.make(replace(FULL_PRODUCTS, warmer=500.0))
