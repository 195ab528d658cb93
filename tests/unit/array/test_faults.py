import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrogen.array.faults import PROBABILITIES, FaultMap, FaultRates, draw_faults
from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.core.streams import Purpose, Streams


def _generator(seed: int = 0) -> np.random.Generator:
    return Streams(seed).generator(Purpose.FAULTS, 0)


def test_same_seed_same_faults_and_more_at_higher_rates() -> None:
    few = FaultRates(**dict.fromkeys(PROBABILITIES, 0.01))
    low, again, high = (draw_faults(rates, 40, 60, _generator()) for rates in (few, few, few.scaled(5.0)))
    assert low == again
    for name in ("stuck_on", "stuck_off", "shorted_cells", "open_rows", "open_columns", "dead_columns"):
        assert set(getattr(low, name)) <= set(getattr(high, name))
    assert high.count > low.count > 0
    assert draw_faults(few, 40, 60, _generator(1)) != low


@pytest.mark.parametrize("name", PROBABILITIES)
def test_as_many_as_the_rate_says(name: str) -> None:
    """Binomial, 5 standard errors: false alarms below 1e-5 for all together."""
    rows, columns, rate = 300, 400, 0.05
    found = draw_faults(FaultRates(**{name: rate}), rows, columns, _generator(7))
    places = {
        "open_row": rows, "shorted_rows": rows - 1, "open_column": columns, "shorted_columns": columns - 1,
        "dead_column": columns, "converter_offset": columns // 2,
    }.get(name, rows * columns)  # fmt: skip
    assert abs(found.count - rate * places) < 5.0 * np.sqrt(rate * places)


def test_a_break_is_anywhere_on_the_line() -> None:
    found = draw_faults(FaultRates(open_row=1.0, open_column=1.0), 400, 300, _generator())
    assert {at for _, at in found.open_rows} > set(range(0, 300, 60)) or len({at for _, at in found.open_rows}) > 200
    assert max(row for row, _ in found.open_columns) > 390
    assert min(row for row, _ in found.open_columns) < 10


def test_stuck_cells_have_their_state_and_shorted_ones_a_filament() -> None:
    faults = FaultMap(2, 2, stuck_on=((0, 0),), stuck_off=((0, 1),), shorted_cells=((1, 1),), short_conductance=1e-3)
    half = np.full((2, 2), 0.5)
    np.testing.assert_array_equal(faults.on_state(half), [[1.0, 0.0], [0.5, 0.5]])
    on, off = np.full((2, 2), 2e-8), np.full((2, 2), 1e-9)
    got = faults.on_cells(half * 1e-8, on, off)
    np.testing.assert_allclose(got, [[2e-8, 1e-9], [5e-9, 1e-3 + 5e-9]], rtol=1e-15)


def test_round_trip(tmp_path) -> None:
    rates = FaultRates(**dict.fromkeys(PROBABILITIES, 0.1))
    faults = draw_faults(rates, 9, 8, _generator())
    faults.save(tmp_path / "faults.json")
    assert FaultMap.load(tmp_path / "faults.json") == faults


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"stuck_on": [[2, 0]]}, "stuck_on"),
        ({"stuck_on": [[0, 0], [0, 0]]}, "stuck_on"),
        ({"stuck_on": [[0, 0]], "stuck_off": [[0, 0]]}, "stuck_off"),
        ({"open_rows": [[0, 4]]}, "open_rows"),
        ({"shorted_rows": [[1, 0]]}, "shorted_rows"),
        ({"shorted_columns": [[0, 3]]}, "shorted_columns"),
        ({"dead_columns": [4]}, "dead_columns"),
        ({"offsets": [1.0]}, "offsets"),
        ({"offsets": [1.0, float("nan")]}, "offsets"),
        ({"rows": 0}, "rows"),
        ({"rows": 2**20, "columns": 2**20}, "rows"),
        ({"format": 2}, "format"),
        ({"stuck": []}, "stuck"),
        ({"short_conductance": -1.0}, "short_conductance"),
    ],
)
def test_files_that_make_no_sense_are_refused_by_name(change: dict, names: str) -> None:
    text = json.dumps({"format": 1, "rows": 2, "columns": 4} | change)
    with pytest.raises(DataFileError, match=names):
        FaultMap.from_json(text)


@pytest.mark.parametrize("rates", [{"stuck_on": -0.1}, {"dead_column": 1.5}, {"stuck_on": 0.6, "stuck_off": 0.6}])
def test_rates_are_probabilities(rates: dict) -> None:
    with pytest.raises(ArgumentError, match=next(iter(rates))):
        FaultRates(**rates)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=8), part, max_size=3),
    max_leaves=8,
)
_FIELDS = st.dictionaries(
    st.sampled_from(["format", "rows", "columns", "stuck_on", "open_rows", "shorted_rows", "dead_columns", "offsets"]),
    st.integers(-1, 9) | st.lists(st.lists(st.integers(-1, 9), max_size=3) | st.integers(-1, 9), max_size=3) | _JSON,
)


@settings(max_examples=200)
@given(
    st.one_of(
        st.binary(max_size=40), st.text(max_size=40).map(str.encode), _FIELDS.map(lambda x: json.dumps(x).encode())
    )
)
def test_any_bytes_are_a_map_or_one_typed_error(text: bytes) -> None:
    try:
        faults = FaultMap.from_json(text)
    except DataFileError as error:
        said = str(error)
    else:
        said = "a map"
        assert FaultMap.from_json(json.dumps(faults.to_dict())) == faults
    assert "\n" not in said


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.0, 0.5), st.integers(0, 2**31))
def test_whatever_is_drawn_is_valid(rows: int, columns: int, rate: float, seed: int) -> None:
    faults = draw_faults(FaultRates(**dict.fromkeys(PROBABILITIES, rate)), rows, columns, _generator(seed))
    assert FaultMap.from_json(json.dumps(faults.to_dict())) == faults
