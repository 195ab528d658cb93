"""Card fragments: the parameters that a calibration found, as TOML that can stand in a card as it is."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from ferrogen.core.errors import CardError, DataFileError
from ferrogen.core.files import atomic_path, read_bytes
from ferrogen.core.spec import explain
from ferrogen.device.card import DeviceCard
from ferrogen.device.parameter import Parameter, Spread

_FRAGMENT_LIMIT = 1_000_000
_HELD = "Held in the fit: "
_DIGITS = 6  # more would only pretend


@dataclass(frozen=True, slots=True)
class CardFragment:
    """What measured data say about a card.

    Attributes:
        sections: section name -> parameter name -> parameter; the section ``""`` holds those of the card itself.
            Parameters that are ``assumed`` fill gaps of a card and do not displace what it has, unless ``held``.
        not_identified: sentences: what the data could not tell, alone or at all.
        held: assumed parameters that the fit rests on, as ``section.name``: the fitted ones are wrong without them.
    """

    sections: Mapping[str, Mapping[str, Parameter]]
    not_identified: tuple[str, ...] = ()
    held: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return the parameters as plain nested values, as they stand in a card."""
        own = {name: _plain(item) for name, item in self.sections.get("", {}).items()}
        return own | {
            title: {name: _plain(item) for name, item in parameters.items()}
            for title, parameters in self.sections.items()
            if title
        }


def fitted(
    value: float,
    unit: str,
    standard_error: float,
    *,
    note: str,
    source: str = "none",
    valid: Mapping[str, tuple[float, float]] | None = None,
    spread: Spread | None = None,
) -> Parameter:
    """Return a parameter with the status ``fitted``, rounded to six digits.

    Args:
        value: in ``unit``.
        unit: SI.
        standard_error: in ``unit``; left out if it is not finite.
        note: goodness of fit and the name of the data file.
        source: key of the data's literature reference.
        valid: ranges of the data, by quantity of a card's validity.
        spread: how it varies, if that was fitted, too.
    """
    error = _rounded(standard_error) if math.isfinite(standard_error) else None
    return Parameter(
        value=_rounded(value), unit=unit, status="fitted", source=source, note=note, spread=spread,
        valid=dict(valid or {}), standard_error=error,
    )  # fmt: skip


def assumed(value: float, unit: str, *, note: str, source: str = "none", spread: Spread | None = None) -> Parameter:
    """Return a parameter with the status ``assumed``, for what the card needs and the data do not tell."""
    return Parameter(value=_rounded(value), unit=unit, status="assumed", source=source, note=note, spread=spread)


def write_fragment(fragment: CardFragment, path: Path, *, heading: Sequence[str] = ()) -> None:
    """Write a fragment as TOML, atomically; what could not be identified stands above it in comments.

    Raises:
        OutputError: the folder cannot be written.
    """
    comments = [*heading, *(f"Not identified: {sentence}" for sentence in fragment.not_identified)]
    comments += [f"{_HELD}{' '.join(fragment.held)}"] if fragment.held else []
    top = _comments(comments)
    with atomic_path(path) as temporary:
        temporary.write_text(f"{top}\n{tomli_w.dumps(fragment.plain())}".lstrip("\n"), encoding="utf-8")


def load_fragment(path: Path) -> CardFragment:
    """Read a fragment that :func:`write_fragment` wrote; of its comments only what was held is kept.

    Raises:
        DataFileError: no such file, not TOML, or a parameter that is malformed.
    """
    raw = read_bytes(path, what="Card fragment", limit=_FRAGMENT_LIMIT)
    try:
        text = raw.decode("utf-8")
        tables: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataFileError(f"Card fragment '{path}' is not a TOML file: {' '.join(str(error).split())}.") from None
    sections: dict[str, dict[str, Parameter]] = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise DataFileError(f"Card fragment '{path}': `{name}` must be a table of parameters.")
        own = "value" in table
        for key, item in {name: table}.items() if own else table.items():
            try:
                sections.setdefault("" if own else name, {})[key] = Parameter.model_validate(item)
            except ValidationError as error:
                raise DataFileError(explain(error, subject=f"Card fragment '{path}', `{key}`")) from None
    held = [line.removeprefix(f"# {_HELD}") for line in text.splitlines() if line.startswith(f"# {_HELD}")]
    return CardFragment(sections, held=tuple(name for line in held for name in line.split()))


def merge(card: DeviceCard, fragment: CardFragment, *, name: str, title: str) -> DeviceCard:
    """Return a card with the parameters of a fragment in place of its own.

    A validity that the card does not state is taken from the fragment's parameters; one that it does state stays.

    Args:
        card: the base.
        fragment: what a calibration found.
        name: of the new card.
        title: of the new card.

    Raises:
        CardError: the result is no card: a section the card does not know, parameters that do not fit each other.
    """
    data = _dump(card)
    for section, parameters in fragment.sections.items():
        target = data if not section else data.setdefault(section, {})
        for key, item in parameters.items():
            if item.status != "assumed" or key not in target or f"{section}.{key}" in fragment.held:
                target[key] = _plain(item)
            for quantity, ends in item.valid.items():
                if item.status != "assumed":
                    data["validity"].setdefault(quantity, list(ends))
    try:
        return DeviceCard.model_validate(data | {"name": name, "title": title})
    except ValidationError as error:
        raise CardError(explain(error, subject=f"Card '{card.name}' with the fitted parameters")) from None


def write_card(card: DeviceCard, path: Path, *, heading: Sequence[str] = ()) -> None:
    """Write a whole card as TOML that :func:`ferrogen.device.card.load_card` reads back equal.

    Raises:
        OutputError: the folder cannot be written.
    """
    top = _comments(heading)
    with atomic_path(path) as temporary:
        temporary.write_text(f"{top}\n{tomli_w.dumps(_dump(card))}".lstrip("\n"), encoding="utf-8")


def _comments(lines: Sequence[str]) -> str:
    shown = (" ".join(line.split()) for line in lines)
    return "".join(f"# {''.join(c if c.isprintable() else '?' for c in line)}\n" for line in shown)


def _dump(card: DeviceCard) -> dict[str, Any]:
    dumped: dict[str, Any] = card.model_dump(mode="json", exclude_none=True)
    return _without_empty(dumped)


def _plain(item: Parameter) -> dict[str, Any]:
    return _without_empty(item.model_dump(mode="json", exclude_none=True))


def _without_empty(table: dict[str, Any]) -> dict[str, Any]:
    """Leave out empty notes and validities, as a person would."""
    return {
        key: _without_empty(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if not (key in ("note", "valid") and not value)
    }


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
