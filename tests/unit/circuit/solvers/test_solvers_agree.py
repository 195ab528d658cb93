"""The fast solver and the direct one on random arrays of both topologies: the same currents and voltages to 1e-9."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.circuit.network.cells import CellLaw, InSeries, Ohmic, Rectifying, Selector, SeriesResistance, Sinh
from ferrogen.circuit.network.network import Drive, Network, drive, uniform_network
from ferrogen.circuit.solvers.solution import Solution
from ferrogen.circuit.solvers.solve import solve

SIDES = ("left", "right", "top", "bottom")


def agree(network: Network, sources: Drive, *, relative: float = 1e-9, tolerance: float = 1e-12) -> None:
    """Both converge, to the same currents and voltages relative to the largest."""
    fast = solve(network, sources, tolerance=tolerance).checked()
    direct = solve(network, sources, method="direct", tolerance=1e-12).checked()
    assert (fast.method, direct.method) == ("lines", "direct")
    for name in (*(f"{side}_current" for side in SIDES), "row_voltage", "column_voltage"):
        ours, oracle = getattr(fast, name), getattr(direct, name)
        assert np.abs(ours - oracle).max() <= relative * np.abs(oracle).max(), name


def crosspoint(rng: np.random.Generator, shape: tuple[int, int], law: CellLaw, segment: float = 2.0) -> Network:
    """Word lines driven at the left, bit lines sensed at the bottom; cells over two decades, segments scattered."""
    rows, columns = shape
    return Network(
        conductance=10.0 ** rng.uniform(-6, -4, shape),
        row_segments=segment * rng.uniform(0.5, 2.0, (rows, columns - 1)),
        column_segments=segment * rng.uniform(0.5, 2.0, (rows - 1, columns)),
        row_left=segment * rng.uniform(0.5, 50.0, rows),
        row_right=np.full(rows, np.inf),
        column_top=np.full(columns, np.inf),
        column_bottom=segment * rng.uniform(0.5, 50.0, columns),
        law=law,
    )


def nor(rng: np.random.Generator, shape: tuple[int, int], junction: CellLaw) -> Network:
    """Source lines grounded at both ends, bit lines driven at the top; a transistor in series with every junction."""
    network = crosspoint(rng, shape, InSeries(junction, SeriesResistance(2e4)))
    network.row_right[:] = 3.0 * rng.uniform(0.5, 50.0, shape[0])
    network.column_top[:] = network.column_bottom
    network.column_bottom[:] = np.inf
    return network


@pytest.mark.parametrize("junction", [Ohmic(), Sinh(0.25)], ids=["ohmic", "sinh"])
@pytest.mark.parametrize("shape", [(2, 3), (5, 17), (17, 5), (32, 32), (64, 64)])
@pytest.mark.parametrize("topology", [crosspoint, nor])
def test_random_arrays_of_both_topologies(shape, junction, topology):
    rng = np.random.default_rng(hash(shape) % 1000)
    network = topology(rng, shape, junction)
    side, lines = ("left", shape[0]) if topology is crosspoint else ("top", shape[1])
    batch = 3 if network.law.linear else 1
    agree(network, drive(network, **{side: rng.uniform(0.0, 1.0, (lines, batch))}))


@pytest.mark.parametrize("law", [Ohmic(), Sinh(0.1)], ids=["ohmic", "sinh"])
@pytest.mark.parametrize("segment", [1e-6, 1e-3, 1e3, 1e6])
def test_extreme_wires(segment, law):
    rng = np.random.default_rng(5)
    network = crosspoint(rng, (6, 8), law, segment)
    agree(network, drive(network, left=rng.uniform(-1.0, 1.0, (6, 2))))


@pytest.mark.parametrize("cell", [1e-15, 1e-12, 1e-3, 1.0])
@pytest.mark.parametrize("segment", [1e-6, 1.0, 1e6])
def test_extreme_cells(segment, cell):
    rng = np.random.default_rng(6)
    network = uniform_network(cell * rng.uniform(0.1, 1, (7, 5)), row_segment=segment, column_segment=2 * segment)
    agree(network, drive(network, left=rng.uniform(-1.0, 1.0, (7, 2))))


@pytest.mark.parametrize(
    "law",
    [
        Rectifying(0.1, 1e3),
        InSeries(Sinh(0.2), Selector(1e-9, 0.06)),
        InSeries(Rectifying(0.1, 50.0), SeriesResistance(1e4)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("scheme", ["half", "third", "floating"])
def test_half_select_schemes_of_arrays_with_selectors(law, scheme):
    rng = np.random.default_rng(7)
    network = crosspoint(rng, (8, 9), law)
    rows, columns = np.full(8, {"half": 0.5, "third": 1 / 3, "floating": 0.0}[scheme]), np.full(9, 0.5)
    columns[:] = {"half": 0.5, "third": 2 / 3, "floating": 0.0}[scheme]
    rows[3], columns[4] = 1.0, 0.0
    if scheme == "floating":
        network.row_left[np.arange(8) != 3] = np.inf
        network.column_bottom[np.arange(9) != 4] = np.inf
    agree(network, drive(network, left=1.5 * rows, bottom=1.5 * columns))


@given(seed=st.integers(0, 10**6), decades=st.floats(0.0, 5.0), voltage=st.floats(1e-6, 3.0), steep=st.booleans())
def test_kirchhoff_holds_and_power_is_what_the_resistors_burn(seed, decades, voltage, steep):
    rng = np.random.default_rng(seed)
    rows, columns = (int(n) for n in rng.integers(1, 9, 2))

    def scattered(*shape: int, open_share: float = 0.0) -> np.ndarray:
        return np.where(rng.random(shape) < open_share, np.inf, 10.0 ** rng.uniform(-decades, decades, shape))

    network = Network(
        conductance=1e-4 * scattered(rows, columns),
        row_segments=scattered(rows, columns - 1),
        column_segments=scattered(rows - 1, columns),
        row_left=scattered(rows),
        row_right=scattered(rows, open_share=0.5),
        column_top=scattered(columns, open_share=0.5),
        column_bottom=scattered(columns),
        law=Sinh(0.1) if steep else Ohmic(),
    )
    sources = drive(
        network, **{side: voltage * rng.uniform(-1, 1, rows if side in SIDES[:2] else columns) for side in SIDES}
    )
    found = solve(network, sources).checked()
    assert found.outcome.residual <= 1e-10
    check_balance(network, sources, found)


def check_balance(network: Network, sources: Drive, found: Solution) -> None:
    """Charge is conserved, and what sources deliver is what cells and wires dissipate (Tellegen)."""
    ends = (network.row_left, network.row_right, network.column_top, network.column_bottom)
    current = {side: getattr(found, f"{side}_current") for side in SIDES}
    largest = max(np.abs(i).max() for i in current.values())
    nodes = network.conductance.size
    assert abs(sum(i.sum() for i in current.values())) <= 1e-9 * nodes * largest
    across = found.row_voltage - found.column_voltage
    cell, _ = network.law.current(network.conductance[:, :, None], across)
    power = (cell * across).sum()
    power += (np.diff(found.row_voltage, axis=1) ** 2 / network.row_segments[:, :, None]).sum()
    power += (np.diff(found.column_voltage, axis=0) ** 2 / network.column_segments[:, :, None]).sum()
    for side, resistance in zip(SIDES, ends, strict=True):
        power += (current[side] ** 2 * np.where(np.isfinite(resistance), resistance, 0.0)[:, None]).sum()
    delivered = sum((getattr(sources, side) * i).sum() for side, i in current.items())
    # A node voltage rounded to a double is off by 1e-16 V, which is a power of (1e-16 V)^2 / R and a current error.
    steepest = max((1.0 / r.min() for r in (network.row_segments, network.column_segments) if r.size), default=0.0)
    highest = max(np.abs(getattr(sources, side)).max() for side in SIDES)
    slack = 1e-9 * nodes * largest * highest + 1e-15 * nodes * steepest * highest**2
    assert abs(power - delivered) <= slack
