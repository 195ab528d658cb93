from __future__ import annotations

import numpy as np
import pytest

from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose, Streams


def test_the_values_of_release_zero_stay() -> None:
    """Part of what a seed promises: change these only with a major version."""
    assert int(Streams(0).key(Purpose.TELEGRAPH_WINDOW, 3)) == 2568671599302329373
    draws = Streams(7).generator(Purpose.POPULATION, 0).integers(0, 2**32, 3)
    assert draws.tolist() == [1385414931, 1566740095, 2190253821]


def test_addresses_are_independent_and_repeatable() -> None:
    places = [(p, a) for p in (Purpose.POPULATION, Purpose.PROGRAMMING) for a in ((), (0,), (1,), (0, 1), (1, 0))]
    keys = [int(Streams(s).key(p, *a)) for s in (0, 1, 2**40) for p, a in places]
    assert len(set(keys)) == len(keys)
    draws = np.stack([Streams(3).generator(p, *a).standard_normal(4000) for p, a in places])
    correlation = np.corrcoef(draws)[np.triu_indices(len(places), 1)]
    assert np.abs(correlation).max() < 4.5 / np.sqrt(4000)  # 45 pairs, level 3e-4
    again = Streams(3).generator(*places[1][:1], *places[1][1]).standard_normal(4000)
    np.testing.assert_array_equal(draws[1], again)


def test_purposes_are_unique() -> None:
    assert len({int(p) for p in Purpose}) == len(Purpose.__members__)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, "7", True, None])
def test_what_is_no_seed(seed: object) -> None:
    with pytest.raises(ArgumentError, match="`seed` must be an integer"):
        Streams(seed)  # type: ignore[arg-type]
