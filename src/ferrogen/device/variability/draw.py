"""Monte Carlo of whole junctions from a card: parameters with a device-to-device spread, correlated, and stuck cells.

A Gaussian copula: standard normal numbers with the card's correlations, each turned into its parameter's distribution,

    lognormal: value exp(w z),    normal: value + w z,    uniform: value + w (2 Phi(z) - 1),    loguniform likewise.

Two log-normal parameters whose logarithms have the correlation rho are then themselves correlated by
[exp(rho w_1 w_2) - 1] / sqrt{[exp(w_1^2) - 1] [exp(w_2^2) - 1]}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ferrogen.core.errors import CardError, argument_error, is_whole
from ferrogen.device.card import DeviceCard
from ferrogen.device.parameter import Parameter
from ferrogen.device.polarization.domains import DomainEnsemble, draw_domains
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.transport import compact
from ferrogen.device.variability.spec import VariabilitySpec

_MOST_NUMBERS = 500_000_000
_POLARIZATION = "switching.remanent_polarization"


@dataclass(frozen=True, slots=True, eq=False)
class JunctionDraw:
    """Parameters of many junctions of one card.

    Attributes:
        values: of every parameter with a device-to-device spread, by the name that the card knows it by (those of
            sections as ``section.name``), in the card's units; arrays of shape ``(cells,)``.
        stuck_on: cells that are on whatever is done to them, shape ``(cells,)``.
        stuck_off: cells that are off.
    """

    values: Mapping[str, NDArray[np.float64]]
    stuck_on: NDArray[np.bool_]
    stuck_off: NDArray[np.bool_]

    @property
    def cells(self) -> int:
        """Number of junctions."""
        return int(self.stuck_on.size)

    def conductance(self, switched_fraction: ArrayLike) -> NDArray[np.float64]:
        """Return the conductance [S] of every junction; stuck ones have their own whatever the state is.

        Args:
            switched_fraction: share of the domains that is on, 0 to 1, shape ``(cells,)`` or one number.
        """
        s = np.where(self.stuck_on, 1.0, np.where(self.stuck_off, 0.0, np.asarray(switched_fraction, dtype=np.float64)))
        return compact.conductance(s, self.values["on_conductance"], self.values["off_conductance"])


def varying_parameters(card: DeviceCard) -> dict[str, Parameter]:
    """Return the parameters that vary from device to device, and the conductances, by name.

    A Poisson number (of traps) is drawn with what it counts (:func:`ferrogen.device.noise.traps.draw_traps`).
    """
    return {
        name: item
        for name, item in card.parameters.items()
        if name in ("on_conductance", "off_conductance")
        or (item.spread is not None and item.spread.kind == "d2d" and item.spread.distribution != "poisson")
    }


def correlation_matrix(card: DeviceCard) -> NDArray[np.float64]:
    """Return the correlations of the Gaussian copula, in the order of :func:`varying_parameters`.

    Raises:
        CardError: the card has no section [variability], or its correlations cannot all hold at once.
    """
    spec = card.require(VariabilitySpec)
    names = list(varying_parameters(card))
    matrix = np.eye(len(names))
    for first, second, item in (
        ("on_conductance", "off_conductance", spec.on_off_correlation),
        ("on_conductance", _POLARIZATION, spec.on_polarization_correlation),
        ("off_conductance", _POLARIZATION, spec.off_polarization_correlation),
    ):
        if first in names and second in names:
            i, j = names.index(first), names.index(second)
            matrix[i, j] = matrix[j, i] = item.value
    if np.linalg.eigvalsh(matrix)[0] < -1e-9:
        raise CardError(
            f"Card '{card.name}' has correlations in [variability] that cannot all hold at once"
            f" ({spec.on_off_correlation.value:g}, {spec.on_polarization_correlation.value:g},"
            f" {spec.off_polarization_correlation.value:g}). Bring the third nearer to the product of the others."
        )
    return matrix


def from_normal(item: Parameter, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn standard normal numbers into values of a parameter with its spread, same shape.

    Raises:
        CardError: a spread that gives no value for each item (``poisson``).
    """
    spread = item.spread
    if spread is None:
        return np.full(z.shape, item.value)
    if spread.distribution == "loguniform" and spread.low is not None and spread.high is not None:
        return np.asarray(spread.low * (spread.high / spread.low) ** special.ndtr(z))
    if spread.value is not None:
        if spread.distribution == "lognormal":
            return np.asarray(item.value * np.exp(spread.value * z))
        if spread.distribution == "normal":
            return np.asarray(item.value + spread.value * z)
        if spread.distribution == "uniform":
            return np.asarray(item.value + spread.value * (2.0 * special.ndtr(z) - 1.0))
    raise CardError(f"A {spread.distribution} spread cannot be drawn for each junction.")


def draw_junctions(card: DeviceCard, cells: int, generator: np.random.Generator) -> JunctionDraw:
    """Draw junctions from a card.

    The numbers of a junction follow one another in the stream: the first junctions of a longer draw are those of a
    shorter one. A remanent polarisation with a normal spread is cut at zero.

    Args:
        card: with a section [variability].
        cells: how many.
        generator: addressed with the purpose ``VARIABILITY``.

    Raises:
        CardError: the card has no section [variability], or its correlations cannot hold.
        ArgumentError: a number of cells below one, or beyond what memory allows.
    """
    items = varying_parameters(card)
    if not is_whole(cells, 1, _MOST_NUMBERS / (len(items) + 1)):
        raise argument_error("cells", f"be a whole number from 1 to {_MOST_NUMBERS // (len(items) + 1)}", cells)
    spec = card.require(VariabilitySpec)
    # Correlations of exactly one make the matrix singular, so its root is taken by eigenvectors, not by Cholesky.
    size, vectors = np.linalg.eigh(correlation_matrix(card))
    root = vectors * np.sqrt(np.maximum(size, 0.0))
    normal = generator.standard_normal((cells, len(items) + 1))
    correlated = normal[:, :-1] @ root.T
    values = {name: from_normal(item, correlated[:, k]) for k, (name, item) in enumerate(items.items())}
    if _POLARIZATION in values:
        values[_POLARIZATION] = np.maximum(values[_POLARIZATION], 0.0)
    chance = special.ndtr(normal[:, -1])
    on = spec.stuck_on_share.value
    return JunctionDraw(values, chance < on, (chance >= on) & (chance < on + spec.stuck_off_share.value))


def draw_ensemble(card: DeviceCard, junctions: JunctionDraw, generator: np.random.Generator) -> DomainEnsemble:
    """Draw the domains of drawn junctions: scatter between domains from [switching], between junctions from the draw.

    Args:
        card: with a section [switching].
        junctions: of :func:`draw_junctions`.
        generator: addressed with the purpose ``DOMAINS``.

    Raises:
        CardError: the card has no section [switching].
    """
    spec = card.require(SwitchingSpec)
    ensemble = draw_domains(spec, card.cell_area.value, junctions.cells, generator)
    values = junctions.values
    remanent = values.get(_POLARIZATION, np.full(junctions.cells, spec.remanent_polarization.value))
    scale = values.get("variability.activation_scale", np.ones(junctions.cells))
    shift = values.get("variability.bias_shift", np.zeros(junctions.cells))
    return replace(
        ensemble,
        remanent_polarization=remanent,
        activation_field=ensemble.activation_field * scale[:, None],
        local_bias_field=ensemble.local_bias_field + shift[:, None],
    )


def draw_cycles(card: DeviceCard, cells: int, cycles: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw by which factor the conductance of every cycle differs from the junction's own.

    The logarithms are a stationary first-order autoregression: cycles that lie k apart are correlated by
    ``cycle_correlation``^k.

    Args:
        card: with a section [variability].
        cells: how many junctions.
        cycles: how many cycles of each.
        generator: addressed with the purpose ``VARIABILITY``.

    Returns:
        Factors, shape ``(cells, cycles)``.

    Raises:
        CardError: the card has no section [variability].
        ArgumentError: a number of cells or cycles below one, or beyond what memory allows.
    """
    spec = card.require(VariabilitySpec)
    for name, number in (("cells", cells), ("cycles", cycles)):
        if not is_whole(number, 1) or cells * cycles > _MOST_NUMBERS:
            raise argument_error(name, f"be a whole number from 1, with {_MOST_NUMBERS} factors in all at most", number)
    memory = spec.cycle_correlation.value
    fresh = generator.standard_normal((cells, cycles))
    z = np.empty_like(fresh)
    z[:, 0] = fresh[:, 0]
    for k in range(1, cycles):
        z[:, k] = memory * z[:, k - 1] + np.sqrt(1.0 - memory * memory) * fresh[:, k]
    return from_normal(spec.cycle_scale, z)


def lognormal_correlation(first: float, second: float, correlation: float) -> float:
    """Return the correlation of two log-normal numbers whose logarithms are correlated.

    Args:
        first: standard deviation of the first logarithm.
        second: of the second.
        correlation: of the logarithms.

    Raises:
        ArgumentError: widths that are not positive, or a correlation beyond 1.
    """
    if not (0.0 < first <= 10.0 and 0.0 < second <= 10.0):
        raise argument_error("first", "be, like `second`, a positive width of at most 10", (first, second))
    if not -1.0 <= correlation <= 1.0:
        raise argument_error("correlation", "lie between -1 and 1", correlation)
    return float(np.expm1(correlation * first * second) / np.sqrt(np.expm1(first * first) * np.expm1(second * second)))
