"""The shipped contract check: passed by every card that comes with ferrogen, failed by models that break a promise."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferrogen.core.errors import CardError, ContractError
from ferrogen.device import registry
from ferrogen.device.card import DeviceCard, card_names, load_card
from ferrogen.device.junction import Junction, draw_cells, make_junction
from ferrogen.testing import check_device

SHIPPED = sorted(
    item.name.removesuffix(".toml")
    for item in (resources.files("ferrogen.device") / "cards").iterdir()
    if item.name.endswith(".toml")
)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_card_passes(name: str) -> None:
    kept = check_device(name)
    assert len(kept) > 20


class _Broken:
    """Ferrogen's model with one method replaced."""

    def __init__(self, inner: Junction, **changed: Callable[..., Any]) -> None:
        self._inner = inner
        self.__dict__.update(changed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _broken(how: str) -> Callable[[DeviceCard, int, int], Any]:
    def make(card: DeviceCard, cells: int, seed: int) -> Any:
        inner = draw_cells(card, cells, seed)

        def in_place(state: Any, voltage: Any, duration: float, **more: Any) -> Any:
            after = inner.advance(state, voltage, duration, **more)
            state.domains.up[:] = after.domains.up
            return after

        def coupled(state: Any, voltage: Any, duration: float, **more: Any) -> Any:
            return inner.advance(state, float(np.mean(voltage)), duration, **more)

        def deaf(state: Any, voltage: Any, duration: float, **more: Any) -> Any:
            usable = float(np.nan_to_num(np.mean(np.asarray(voltage)))) if np.ndim(voltage) == 0 else voltage
            return inner.advance(state, usable, duration, **more)

        def forgetful(state: Any, voltage: Any, duration: float, **more: Any) -> Any:
            return inner.advance(inner.initial_state(), np.abs(voltage), duration, **more)

        def bold(state: Any, voltage: Any, duration: float, **more: Any) -> Any:
            usable = np.clip(voltage, -3.0, 3.0) if np.isfinite(voltage).all() else voltage
            return inner.advance(state, usable, duration, **more)

        changed: dict[str, Callable[..., Any]] = {
            "in place": {"advance": in_place},
            "coupled": {"advance": coupled},
            "deaf": {"advance": deaf},
            "forgetful": {"advance": forgetful},
            "leaky": {
                "current": lambda state, voltage: inner.current(state, voltage) + 1e-3 * inner.current(state, 0.1)
            },
            "bold": {"advance": bold},
            "falling": {"current": lambda state, voltage: -inner.current(state, voltage)},
            "wrong shape": {"switched_fraction": lambda state: inner.switched_fraction(state)[:-1]},
        }[how]
        return _Broken(inner, **changed)

    return make


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("in place", "leave the state they are given"),
        ("coupled", "its own voltage only"),
        ("deaf", "a voltage that is no number is refused"),
        ("forgetful", "reset pulses switch off"),
        ("leaky", "no current flows at no voltage"),
        ("falling", "read currents rise"),
        ("wrong shape", "as many cells"),
        ("bold", "a voltage beyond the card is refused"),
    ],
)
def test_a_broken_promise_is_named(how: str, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        check_device("hzo-10nm-measured", _broken(how))


def test_another_seed_is_noticed() -> None:
    seeds = iter(range(100))
    with pytest.raises(ContractError, match="the same seed gives the same cells"):
        check_device("hzo-10nm-measured", lambda card, cells, _seed: draw_cells(card, cells, next(seeds)))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package of somebody else: a card file, a model, two entry points."""
    source = (resources.files("ferrogen.device") / "cards" / "hzo-10nm-measured.toml").read_text(encoding="utf-8")
    home = tmp_path / "their_junctions"
    home.mkdir()
    (home / "__init__.py").write_text("")
    renamed = source.replace('name = "hzo-10nm-measured"', 'name = "their-card"\nmodel = "their-model"', 1)
    (home / "their-card.toml").write_text(renamed, encoding="utf-8")
    (home / "model.py").write_text(
        "from ferrogen.device.junction import draw_cells\n\n\ndef make(card, cells, seed):\n"
        "    return draw_cells(card, cells, seed, random_flips=False)\n"
    )
    info = tmp_path / "their_junctions-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-junctions\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[ferrogen.cards]\ntheir-card = their_junctions\nlost-card = their_junctions\n"
        "[ferrogen.device_models]\ntheir-model = their_junctions.model:make\n"
        "lost-model = their_junctions.nowhere:make\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    registry._points.cache_clear()
    yield home
    registry._points.cache_clear()
    for name in [name for name in sys.modules if name.startswith("their_junctions")]:
        del sys.modules[name]


def test_a_card_and_a_model_of_another_package_plug_in(package: Path) -> None:
    assert "their-card" in card_names()
    card = load_card("their-card")
    assert card.name == "their-card"
    model = make_junction(card, 2, 1)
    assert isinstance(model, Junction)
    assert model.key is None  # made by their function
    check_device("their-card")


def test_entry_points_that_lead_nowhere_are_named(package: Path) -> None:
    with pytest.raises(CardError, match=r"'their_junctions' has no file 'lost-card\.toml'"):
        load_card("lost-card")
    card = load_card("their-card")
    with pytest.raises(CardError, match=r"'lost-model' .* cannot be imported"):
        make_junction(card.model_copy(update={"model": "lost-model"}), 1, 1)
    with pytest.raises(CardError, match="other packages offer: lost-model, their-model"):
        make_junction(card.model_copy(update={"model": "no-model"}), 1, 1)


def test_shipped_cards_cannot_be_replaced(package: Path) -> None:
    (package.parent / "their_junctions-1.0.dist-info" / "entry_points.txt").write_text(
        "[ferrogen.cards]\nhzo-mfis-nor = their_junctions\n"
    )
    registry._points.cache_clear()
    assert load_card("hzo-mfis-nor").title.startswith("TiN/HZO/SiO2")


def test_an_aged_ensemble_takes_the_fresh_ones_place() -> None:
    junction = draw_cells(load_card("hzo-10nm-measured"), 3, 1)
    weak = replace(junction.ensemble, remanent_polarization=0.5 * junction.ensemble.remanent_polarization)
    aged = replace(junction, ensemble=weak)
    start = [model.polarization(model.initial_state()) for model in (junction, aged)]
    np.testing.assert_allclose(start[1], 0.5 * start[0])
