from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ferrogen.core.normals import philox_words, standard_normals, words_to_normals
from ferrogen.core.streams import Purpose, Streams

KEY = Streams(5).key(Purpose.MULTIPLY_NOISE)


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_words_are_those_of_the_authors(
    counter: tuple[int, ...], key: tuple[int, ...], answer: tuple[int, ...]
) -> None:
    """The Philox4x32-10 vectors of Random123, in every lane of a vector register."""
    low, high = (np.full(37, part, dtype=np.uint32) for part in counter[2:])
    words = np.empty((4, 37), dtype=np.uint32)
    philox_words(np.uint64(key[0] | key[1] << 32), counter[0], counter[1], low, high, words)
    np.testing.assert_array_equal(words, np.tile(np.array(answer, dtype=np.uint32)[:, None], 37))


def test_two_words_become_the_two_normals_of_box_and_muller() -> None:
    """The smallest, the largest and random words, against the formula in double precision."""
    rng = np.random.default_rng(1)
    words = rng.integers(0, 2**32, (4, 20_000), dtype=np.uint32)
    words[:, 0], words[:, 1] = 0, 2**32 - 1
    out = np.empty(words.shape, dtype=np.float32)
    words_to_normals(words, out)
    for pair in (0, 2):
        uniform = ((words[pair] >> 1).astype(np.float32) + np.float32(0.5)).astype(float) * 2.0**-31
        radius = np.sqrt(-2.0 * np.log(uniform))
        angle = ((words[pair + 1] & 0x3FFFFFFF).astype(float) - 2**29) * np.pi / 2**31
        cosine = np.where(words[pair + 1] >> 30 & 1, -1.0, 1.0) * np.cos(angle)
        turned = words[pair + 1] >> 31 != 0
        first, second = (np.where(turned, a, b) for a, b in ((np.sin(angle), cosine), (cosine, np.sin(angle))))
        np.testing.assert_allclose(out[pair], radius * first, atol=2e-6)
        np.testing.assert_allclose(out[pair + 1], radius * second, atol=2e-6)
    assert np.all(np.isfinite(out))


def test_a_normal_depends_on_its_own_address_only() -> None:
    addresses = np.array([0, 7, 3, 2**40 + 3, 2**62, 3] * 60)
    together = standard_normals(KEY, addresses, 9)
    for k in (0, 3, 4, 301):
        np.testing.assert_array_equal(standard_normals(KEY, addresses[k : k + 1], 9)[0], together[k])
    np.testing.assert_array_equal(together[2], together[5])
    np.testing.assert_array_equal(standard_normals(KEY, addresses, 3), together[:, :3])
    assert len(np.unique(together)) == 45  # the upper half of an address counts
    others = [standard_normals(KEY, addresses, 9, plane=1), standard_normals(KEY ^ np.uint64(2**40), addresses, 9)]
    assert not any(np.any(other == together) for other in others)
    assert standard_normals(KEY, addresses[:0], 5).shape == (0, 5)


def test_normals_are_normal_to_five_sigma() -> None:
    """Levels: 1e-3 for each moment, the distribution, and the counts beyond 3 to 5 sigma (two-sided)."""
    z = standard_normals(KEY, np.arange(25_000), 200).ravel().astype(float)
    count, bound = z.size, stats.norm.isf(5e-4)
    for power, mean, variance in ((1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)):
        assert abs((z**power).mean() - mean) < bound * np.sqrt(variance / count)
    assert stats.kstest(z[:1_000_000], "norm").pvalue > 1e-3
    for sigma in (3.0, 4.0, 4.5, 5.0):
        expected = 2.0 * count * stats.norm.sf(sigma)
        beyond = np.count_nonzero(np.abs(z) > sigma)
        assert stats.poisson.cdf(beyond, expected) > 5e-4
        assert stats.poisson.sf(beyond - 1, expected) > 5e-4
    assert abs(np.sign(z).mean()) * np.sqrt(count) < bound


def test_neighbours_in_every_direction_are_independent() -> None:
    """Values and squares, between columns and from address to address. Level: 1e-3 for each of the four."""
    z = standard_normals(KEY, np.arange(8000), 24).astype(float)
    for values in (z, z**2 - 1.0):
        correlation = np.corrcoef(values.T)[np.triu_indices(24, 1)]
        assert np.abs(correlation).max() * np.sqrt(8000) < stats.norm.isf(1e-3 / 2 / correlation.size) * 1.05
        along = np.array([np.corrcoef(column[1:], column[:-1])[0, 1] for column in values.T])
        assert np.abs(along).max() * np.sqrt(8000) < stats.norm.isf(1e-3 / 2 / along.size) * 1.05
