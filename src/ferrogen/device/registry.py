"""Cards and device models of other packages, found by entry point.

A package adds a card with one file and one line of its ``pyproject.toml``::

    [project.entry-points."ferrogen.cards"]
    my-card = "my_package"            # the card is my_package/my-card.toml

and a device model with one function::

    [project.entry-points."ferrogen.device_models"]
    my-model = "my_package.model:make"   # make(card, cells, seed) -> JunctionModel

A card chooses its model by name: ``model = "my-model"``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources
from importlib.metadata import EntryPoint, entry_points
from importlib.resources.abc import Traversable
from typing import Any, Final

from ferrogen.core.errors import CardError

CARD_GROUP: Final = "ferrogen.cards"
MODEL_GROUP: Final = "ferrogen.device_models"


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def card_files() -> dict[str, Callable[[], Traversable]]:
    """Return how to find the file of every card that is installed, by name; shipped ones win."""
    shipped = resources.files("ferrogen.device") / "cards"
    files: dict[str, Callable[[], Traversable]] = {
        name: lambda name=name, point=point: _plugged(name, point)  # type: ignore[misc]
        for name, point in _points(CARD_GROUP).items()
    }
    for item in shipped.iterdir():
        if item.name.endswith(".toml"):
            files[item.name.removesuffix(".toml")] = lambda item=item: item  # type: ignore[misc]
    return files


def _plugged(name: str, point: EntryPoint) -> Traversable:
    try:
        found = resources.files(point.value) / f"{name}.toml"
    except (ImportError, TypeError) as error:
        raise CardError(f"Card '{name}' of package '{point.value}' cannot be found: {error}.") from error
    if not found.is_file():
        raise CardError(
            f"Card '{name}' cannot be found: package '{point.value}' has no file '{name}.toml'. Check its entry point"
            f" in the group '{CARD_GROUP}'."
        )
    return found


def plugged_model(name: str) -> Any:
    """Return the factory of a device model that another package offers.

    Raises:
        CardError: no installed package offers it, or it cannot be imported; says which there are.
    """
    points = _points(MODEL_GROUP)
    if name not in points:
        known = ", ".join(sorted(points)) or "none"
        raise CardError(
            f"There is no device model '{name}'. Ferrogen's own is 'domain-ensemble'; other packages offer: {known}."
        )
    try:
        return points[name].load()
    except (ImportError, AttributeError) as error:
        raise CardError(f"Device model '{name}' ({points[name].value}) cannot be imported: {error}.") from error
