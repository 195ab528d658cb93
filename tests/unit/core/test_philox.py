from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ferrogen.core.philox import addressed_normals, open_uniform, philox
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
def test_known_answers_of_the_authors(counter: tuple[int, ...], key: tuple[int, ...], answer: tuple[int, ...]) -> None:
    """The Philox4x32-10 vectors of Random123: zeros, ones, digits of pi."""
    low, high = np.uint64(counter[0] | counter[1] << 32), np.uint64(counter[2] | counter[3] << 32)
    first, second = philox(np.uint64(key[0] | key[1] << 32), high, low)
    words = (int(first) & 0xFFFFFFFF, int(first) >> 32, int(second) & 0xFFFFFFFF, int(second) >> 32)
    assert words == answer


def test_uniforms_stay_inside_the_open_interval() -> None:
    lowest, highest = open_uniform(np.uint64(0)), open_uniform(np.uint64(2**64 - 1))
    assert 0.0 < lowest < 1e-15
    assert 1.0 - 1e-15 < highest < 1.0


def test_a_row_depends_on_its_own_address_only() -> None:
    rows = np.array([0, 7, 3, 10**12, 3])
    together = addressed_normals(KEY, rows, 9)
    for k, row in enumerate(rows):
        np.testing.assert_array_equal(addressed_normals(KEY, np.array([row]), 9)[0], together[k])
    np.testing.assert_array_equal(together[2], together[4])
    assert len(np.unique(together[:4])) == 36
    np.testing.assert_array_equal(addressed_normals(KEY, rows, 4), together[:, :4])


def test_normals_are_normal_and_rows_and_columns_uncorrelated() -> None:
    """Levels: 1e-3 each."""
    z = addressed_normals(KEY, np.arange(4000), 25)
    assert z.dtype == np.float32
    assert stats.kstest(z.ravel().astype(float), "norm").pvalue > 1e-3
    correlation = np.corrcoef(z.T)[np.triu_indices(25, 1)]
    assert np.abs(correlation).max() * np.sqrt(4000) < stats.norm.isf(1e-3 / 2 / correlation.size)
    along = (z[1:] * z[:-1]).mean() * np.sqrt(z[1:].size)
    assert abs(along) < 3.3


def test_keys_separate() -> None:
    other = Streams(5).key(Purpose.MULTIPLY_NOISE, 1)
    a, b = (addressed_normals(key, np.arange(2000), 1)[:, 0] for key in (KEY, other))
    assert abs(np.corrcoef(a, b)[0, 1]) < 3.3 / np.sqrt(2000)
