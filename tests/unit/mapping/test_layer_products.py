"""A layer's products: the fast path beside the general one, addresses apart from cycles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.converters import ADC, IdealDAC
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import ArgumentError
from ferrogen.mapping.layer import AnalogLinear, map_linear

POINT = OperatingPoint()


def _layer(spec: ChipSpec | None = None) -> tuple[AnalogLinear, torch.Tensor]:
    generator = np.random.default_rng(5)
    fine = ChipSpec(rows=24, columns=12, periphery=Periphery(multiply_adc=ADC(16)))  # shows the noise
    chip = Chip("hzo-mfis-nor", seed=3, spec=spec or fine)
    layer = map_linear(chip, generator.normal(size=(9, 40)), generator.normal(size=9))
    x = torch.from_numpy(generator.normal(size=(64, 40)).astype(np.float32))
    layer.calibrate(x, POINT)
    return layer, x


def test_fast_and_general_products_agree_in_mean_and_variance(monkeypatch: pytest.MonkeyPatch) -> None:
    """4000 products of one vector each way: standardised means of 9 outputs (bound 4.5: false alarm < 1e-3), variances.

    A variance of 4000 normals has a relative error of 2.2 %; ratio of two, worst of 9, bound 18 %.
    """
    layer, x = _layer()
    vectors = x[:1].expand(4000, -1)
    assert layer.prepared(POINT) is not None
    before = layer.chip.usage.clipped_conversions
    fast = layer.multiply(vectors, POINT, torch.arange(4000)).double()
    monkeypatch.setattr("ferrogen.mapping.analog_linear.has_fast_product", lambda *_: False)
    assert layer.prepared(POINT) is None
    between = layer.chip.usage.clipped_conversions
    slow = layer.multiply(vectors, POINT, torch.arange(4000, 8000)).double()
    variance = slow.var(dim=0)
    assert torch.all((fast.mean(dim=0) - slow.mean(dim=0)).abs() < 4.5 * (variance * 2 / 4000).sqrt())
    assert torch.all((fast.var(dim=0) / variance - 1.0).abs() < 0.18)
    assert between - before == pytest.approx(layer.chip.usage.clipped_conversions - between, rel=0.1, abs=60)


def test_circuits_that_the_fast_path_does_not_know_go_the_general_way() -> None:
    layer, _ = _layer()
    periphery = replace(layer.chip.spec.periphery, dac=IdealDAC())
    general, x = _layer(ChipSpec(rows=24, columns=12, periphery=periphery))
    assert general.prepared(POINT) is None
    assert torch.isfinite(general(x, POINT, np.arange(64))).all()


def test_prepared_tiles_follow_ranges_and_programming() -> None:
    layer, x = _layer()
    first = layer.prepared(POINT)
    assert layer.prepared(POINT) is first
    layer.calibrate(0.5 * x, POINT)
    second = layer.prepared(POINT)
    assert second is not first
    layer.chip.set_condition(layer.grid[0][0], None)
    assert layer.prepared(POINT) is not second


def test_vectors_of_one_cycle_see_the_same_cells() -> None:
    """At the cell level the noise of the cells goes with the cycle, that of the circuits with the address."""
    layer, x = _layer()
    vectors = x[:1].expand(6, -1)
    seen: list[torch.Tensor] = []
    for cycles in (torch.zeros(6, dtype=torch.int64), 5_000_000 * torch.arange(6)):
        out = [
            layer.multiply(vectors[k : k + 1], POINT, torch.tensor([7]), cycles=cycles[k : k + 1], fidelity="cell")
            for k in range(6)
        ]
        seen.append(torch.cat(out))
    assert torch.all(seen[0] == seen[0][0])
    assert not torch.all(seen[1] == seen[1][0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"addresses": torch.arange(3)}, "x and addresses"),
        ({"x": torch.zeros(2, 39)}, "x and addresses"),
        ({"fidelity": "cell"}, "cycles"),
        ({"fidelity": "exact"}, "fidelity"),
    ],
)
def test_products_that_cannot_be_are_refused(arguments: dict[str, object], message: str) -> None:
    layer, _ = _layer()
    given = {"x": torch.zeros(2, 40), "addresses": torch.arange(2), **arguments}
    with pytest.raises(ArgumentError, match=message):
        layer.multiply(given.pop("x"), POINT, given.pop("addresses"), **given)  # type: ignore[arg-type]
