from __future__ import annotations

import errno
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import constants as codata

from ferrogen.core import constants
from ferrogen.core.errors import (
    ArgumentError,
    CardError,
    DataFileError,
    FerrogenError,
    OutputError,
    argument_error,
    check_number,
    is_whole,
)
from ferrogen.core.files import atomic_path, output_folder, read_bytes, write_json
from ferrogen.core.references import references
from ferrogen.core.spec import Spec, explain


class BoomError(Exception):
    pass


def test_constants_are_codata() -> None:
    assert codata.e == constants.ELEMENTARY_CHARGE
    assert codata.k == constants.BOLTZMANN
    assert pytest.approx(codata.value("Boltzmann constant in eV/K"), rel=1e-9) == constants.BOLTZMANN_EV
    assert pytest.approx(codata.hbar, rel=1e-15) == constants.REDUCED_PLANCK
    assert codata.h == constants.PLANCK
    # Measured ones: scipy's CODATA year may be another.
    assert pytest.approx(codata.m_e, rel=1e-8) == constants.ELECTRON_MASS
    assert pytest.approx(codata.epsilon_0, rel=1e-8) == constants.VACUUM_PERMITTIVITY


def test_an_atomic_file_is_whole_or_not_there(tmp_path: Path) -> None:
    place = tmp_path / "new" / "x.json"
    with pytest.raises(BoomError), atomic_path(place) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise BoomError
    assert list(place.parent.iterdir()) == []
    place.write_text("old")
    with pytest.raises(BoomError), atomic_path(place) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise BoomError
    assert [p.read_text() for p in place.parent.iterdir()] == ["old"]
    with atomic_path(place) as temporary:
        temporary.write_text("new")
        assert place.read_text() == "old"
    assert [p.read_text() for p in place.parent.iterdir()] == ["new"]


def test_an_output_folder_is_filled_at_the_end_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "a").write_text("old")
    with pytest.raises(BoomError), output_folder(tmp_path) as staging:  # noqa: PT012
        (staging / "a").write_text("new")
        raise BoomError
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"kept": "kept", "a": "old"}
    with output_folder(tmp_path) as staging:
        (staging / "a").write_text("new")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"kept": "kept", "a": "new"}


def test_a_folder_in_the_place_of_a_result_leaves_all_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "b.json").mkdir()
    with (  # noqa: PT012
        pytest.raises(OutputError, match=r"b\.json' cannot be written.* --out") as caught,
        output_folder(tmp_path) as staging,
    ):
        (staging / "a").write_text("new")
        (staging / "b.json").write_text("new")
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b.json"]
    assert (tmp_path / "a").read_text() == "old"
    with pytest.raises(OutputError, match="it is a folder"), atomic_path(tmp_path / "b.json"):
        pass


def test_a_move_that_fails_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "c").write_text("old")
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if self.name == "c" and self.parent.name.startswith(".unfinished"):
            raise OSError(errno.EIO, "Input/output error")
        return replace(self, target)

    with (  # noqa: PT012
        pytest.raises(OutputError, match=r"cannot be moved into .*Input/output error"),
        output_folder(tmp_path) as staging,
    ):
        for name in "abc":
            (staging / name).write_text("new")
        monkeypatch.setattr(Path, "replace", fail)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "old", "c": "old"}


def test_a_full_disk_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No space left"), output_folder(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FileNotFoundError), output_folder(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "another matter")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"), output_folder(tmp_path / "file"):
        pass
    with pytest.raises(OutputError, match="cannot be written"), atomic_path(tmp_path / "file" / "x"):
        pass


def test_json_refuses_what_json_cannot_say(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": 1.5, "µ": [1]})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"a": 1.5, "µ": [1]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "y.json", {"a": float("nan")})
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize(
    ("name", "text"), [("missing", "does not exist"), ("folder", "is not a file"), ("large", "has 11 bytes")]
)
def test_files_nobody_vouches_for(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(DataFileError, match=text) as caught:
        read_bytes(tmp_path / name, what="Thing", limit=10)
    assert str(caught.value).startswith("Thing '")
    (tmp_path / "fits").write_bytes(b"x" * 10)
    assert len(read_bytes(tmp_path / "fits", what="Thing", limit=10)) == 10


def test_the_house_style_of_messages() -> None:
    error = argument_error("rows", "be at least 1", 0, "Use more.")
    assert str(error) == "Argument `rows` must be at least 1, but it is 0. Use more."
    assert isinstance(error, FerrogenError)
    assert isinstance(error, ValueError)
    assert str(argument_error("rows", "be at least 1", 0)).endswith("it is 0.")
    assert issubclass(CardError, ValueError)
    assert issubclass(OutputError, OSError)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 0.0, "1", None, True, [1.0]])
def test_a_number_that_is_none(value: object) -> None:
    with pytest.raises(ArgumentError, match=r"Argument `r` must be a positive, finite number in Ohm, but it is "):
        check_number("r", value, "Ohm")
    if value == 0.0:
        check_number("r", value, "Ohm", may_vanish=True)
    for good in (1, 1.5, np.float32(2.0), np.int64(3)):
        check_number("r", good, "Ohm")
    assert is_whole(np.int64(2), 2)
    assert not is_whole(value, 0)


def test_references_are_complete() -> None:
    for key, item in references().items():
        assert item.key == key
        assert len(item.text) > 20
        assert item.seen in ("abstract", "text", "memory")
        assert not item.doi or item.doi.startswith("10.")
        assert str(item).startswith(item.text)
    cards = resources.files("ferrogen.device") / "cards"
    for card in cards.iterdir():
        for line in card.read_text(encoding="utf-8").splitlines():
            if line.startswith("source = "):
                assert line.split('"')[1] in {*references(), "none"}


class Point(Spec):
    x: float
    y: int = 0


def test_specs_are_frozen_and_strict() -> None:
    point = Point(x=1.0)
    with pytest.raises(ValidationError):
        point.x = 2.0  # type: ignore[misc]
    for wrong in ({"x": float("nan")}, {"x": 1.0, "z": 2}, {"x": "far"}, {}):
        with pytest.raises(ValidationError):
            Point.model_validate(wrong)


def test_explain_is_one_line_that_names_field_value_and_fault() -> None:
    with pytest.raises(ValidationError) as caught:
        Point.model_validate({"x": "far", "y": "near", "a": 1, "b": 2})
    text = explain(caught.value, subject="Point 'p'")
    assert "\n" not in text
    assert text.startswith("Point 'p': `x` is 'far': ")
    assert text.endswith("; and 1 more.")


class Line(Spec):
    start: Point
    end: Point


def test_explain_shows_no_tables() -> None:
    with pytest.raises(ValidationError) as caught:
        Line.model_validate({"start": {"y": 1}, "end": {"x": {"a": 1}, "y\ny": 2}})
    text = explain(caught.value, subject="Line")
    assert text.startswith("Line: `start.x` is missing; `end.x`: ")
    assert text.endswith("; `end.y y` is not a known field; check its spelling.")
    with pytest.raises(ValidationError) as caught:
        Line.model_validate({"start": 3.0, "end": {"x": "far " * 50}})
    text = explain(caught.value, subject="Line")
    assert "`start` is 3.0: must be a table" in text
    assert "`end.x` is 'far far" in text
    assert len(text) < 250
