"""Any cycle of any trap, alone or with others, forwards or backwards, on any number of threads: the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.rtn.windows import window_sums

LOG_RATE = st.floats(-14.0, 3.5)
PHASES = st.integers(1, 4)


@st.composite
def _tasks(draw: st.DrawFn) -> dict[str, Any]:
    phases = draw(PHASES)
    traps = draw(st.integers(1, 6))
    rates = st.lists(st.lists(LOG_RATE, min_size=phases, max_size=phases), min_size=traps, max_size=traps)
    observed = draw(st.lists(st.booleans(), min_size=phases, max_size=phases).filter(any))
    columns = draw(st.integers(1, traps))
    return {
        "key": Streams(draw(st.integers(0, 1000))).key(Purpose.TELEGRAPH_WINDOW),
        "trap_address": np.arange(traps, dtype=np.uint64) * 3,
        "starts": np.linspace(0, traps, columns + 1).astype(np.int64),
        "weights": np.linspace(1.0, 2.0, traps),
        "to_one": 10.0 ** np.array(draw(rates)),
        "to_zero": 10.0 ** np.array(draw(rates)),
        "observed": np.array(observed),
    }


def _run(task: dict[str, Any], first: int, cycles: int, threads: int = 1) -> NDArray[np.float64]:
    return window_sums(**task, first_cycle=first, cycles=cycles, threads=threads)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(task=_tasks(), origin=st.sampled_from([0, 5, 1000, 2**20 + 3, 2**33]), data=st.data())
def test_a_range_of_cycles_is_a_slice_of_the_whole_run(task: dict[str, Any], origin: int, data: st.DataObject) -> None:
    whole = _run(task, origin, 120)
    assert np.isfinite(whole).all()
    start = data.draw(st.integers(0, 119))
    stop = data.draw(st.integers(start, 120))
    np.testing.assert_array_equal(_run(task, origin + start, stop - start), whole[:, start:stop])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(task=_tasks(), threads=st.integers(2, 9))
def test_threads_do_not_change_the_result(task: dict[str, Any], threads: int) -> None:
    np.testing.assert_array_equal(_run(task, 7, 50, threads), _run(task, 7, 50))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(task=_tasks())
def test_a_trap_alone_does_what_it_does_in_company(task: dict[str, Any]) -> None:
    traps = task["weights"].shape[0]
    alone = np.zeros((traps, 50, int(task["observed"].sum())))
    for k in range(traps):
        part = {name: task[name][k : k + 1] for name in ("trap_address", "weights", "to_one", "to_zero")}
        alone[k] = _run({**task, **part, "starts": np.array([0, 1])}, 0, 50)[0]
    together = _run(task, 0, 50)
    for column in range(task["starts"].shape[0] - 1):
        expected = alone[task["starts"][column] : task["starts"][column + 1]].sum(axis=0)
        np.testing.assert_allclose(together[column], expected, rtol=1e-12, atol=1e-12)


def test_fractions_lie_between_zero_and_one_over_seventeen_decades() -> None:
    rates = 10.0 ** np.linspace(-12.0, 5.0, 400)[:, None]
    task = {
        "key": Streams(0).key(Purpose.TELEGRAPH_WINDOW),
        "trap_address": np.arange(400, dtype=np.uint64),
        "starts": np.arange(401),
        "weights": np.ones(400),
        "to_one": rates,
        "to_zero": rates[::-1].copy(),
        "observed": np.array([True]),
    }
    sums = _run(task, 0, 300)
    assert sums.min() >= 0.0
    assert sums.max() <= 1.0 + 1e-12


def test_nothing_asked_for_gives_nothing() -> None:
    task = {
        "key": np.uint64(1),
        "trap_address": np.arange(3, dtype=np.uint64),
        "starts": np.array([0, 3, 3]),
        "weights": np.ones(3),
        "to_one": np.ones((3, 1)),
        "to_zero": np.ones((3, 1)),
        "observed": np.array([True]),
    }
    assert _run(task, 0, 0).shape == (2, 0, 1)
    assert not _run(task, 0, 5)[1].any()  # a column without traps


def test_what_happens_does_not_depend_on_which_phases_are_observed() -> None:
    """One trap, one history: each phase's fraction is the same bit for bit, whoever else looks."""
    import numpy as np

    from ferrogen.device.noise.rtn.windows import window_sums

    generator = np.random.default_rng(8)
    to_one, to_zero = (np.exp(generator.uniform(np.log(1e-6), np.log(3e3), (400, 3))) for _ in range(2))

    def run(*observed: bool) -> np.ndarray:
        return window_sums(
            np.uint64(77),
            np.arange(400, dtype=np.uint64),
            np.arange(401),
            np.ones(400),
            to_one,
            to_zero,
            np.array(observed),
            first_cycle=5,
            cycles=20,
        )

    together = run(True, True, True)
    assert np.array_equal(together[:, :, :1], run(True, False, False))
    assert np.array_equal(together[:, :, 1:], run(False, True, True))
    assert np.array_equal(together[:, :, 2:], run(False, False, True))
