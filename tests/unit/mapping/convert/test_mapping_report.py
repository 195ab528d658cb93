"""The report's numbers add up, read well as text, and go through JSON; the floor plan is a picture."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from ferrogen import Chip, ChipSpec, map_to_chip
from ferrogen.chip.energy import energy_of
from ferrogen.chip.point import OperatingPoint
from ferrogen.core.errors import ArgumentError
from ferrogen.mapping.report import MappingReport
from ferrogen.report.mapping import save_floor_plan


class _Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.up = nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1)
        self.norm, self.head = nn.BatchNorm2d(4), nn.Linear(4, 10)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(0.0, 0.4, generator=generator)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.up(self.body(x)).relu()
        y = self.norm(y).mean(dim=(2, 3))
        y = nn.functional.dropout(y, 0.1)
        return self.head(y) @ torch.ones(10, 10)


_X = torch.randn(3, 3, 5, 5, generator=torch.Generator().manual_seed(2))


def _mapped(tiles: int = 6):
    chip = Chip("hzo-mfis-nor", seed=1, spec=ChipSpec(rows=32, columns=32, tiles=tiles))
    return map_to_chip(_Network(), chip, _X)


@pytest.fixture(scope="module")
def report() -> MappingReport:
    return _mapped().report()


def test_products_and_macs_of_every_layer(report: MappingReport) -> None:
    body, up, head = report.layers
    assert (body.name, body.kind, body.folded) == ("body.0", "Conv2d", "body.1")
    assert (body.products_per_image, body.macs_per_image) == (25, 25 * 8 * 27)
    # Four phases of 2 x 2 taps, 25 positions each; edges of a phase multiply zeros that torch does not count.
    assert (up.matrices, up.products_per_image, up.macs_per_image) == (4, 100, 25 * 8 * 4 * 16)
    assert (head.products_per_image, head.macs_per_image) == (1, 40)
    (digital,) = report.digital
    assert (digital.what, digital.macs_per_image) == ("mm", 100)
    total = 25 * 8 * 27 + 25 * 8 * 64 + 40 + 100
    assert report.macs_per_image == total
    assert report.coverage == pytest.approx(1.0 - 100 / total)
    assert sum(part.share for part in (*report.layers, *report.digital)) == pytest.approx(1.0)


def test_cells_and_tiles(report: MappingReport) -> None:
    assert report.cells == sum(block.rows * block.lines for block in report.blocks)
    assert report.cells == 2 * (27 * 8 + 4 * 32 * 4 + 4 * 10)  # nothing but weights, in pairs
    assert {block.tile for block in report.blocks} == {tile for layer in report.layers for tile in layer.tiles}
    assert report.tiles_used + report.tiles_free == report.tiles_of_chip
    assert report.utilisation == pytest.approx(report.cells / (report.tiles_used * 32 * 32))
    covered = {
        (block.tile, row, line)
        for block in report.blocks
        for row in range(block.row, block.row + block.rows)
        for line in range(block.line, block.line + block.lines)
    }
    assert len(covered) == report.cells  # no cell twice


def test_norms_and_draws_are_listed(report: MappingReport) -> None:
    assert report.norms_folded == ("body.1",)
    assert report.norms_digital == ("norm",)
    ((where, name, count),) = report.drawn
    assert (where, count) == ("", 1)
    assert name in {"native_dropout", "bernoulli_"}  # as torch chooses
    text = str(report)
    assert "digital batch norms: norm" in text
    assert f"random numbers from torch's own generator: {name} x 1" in text


def test_clipping_is_what_a_forward_clips(report: MappingReport) -> None:
    mapped = _mapped()
    layer = mapped.analog_layers()["body.0"]
    assert int(layer.clipped_inputs) == 0  # what calibration counted is not use
    mapped(_X)
    first = report.layers[0]
    assert int(layer.clipped_inputs) == round(first.clipped_inputs * _X.numel())
    beyond = float((_X.abs() > first.input_range).float().mean())
    assert first.clipped_inputs == pytest.approx(beyond, abs=1e-9)


def test_energy_is_that_of_the_products(report: MappingReport) -> None:
    mapped = _mapped()
    chip, point = mapped.chip, OperatingPoint.for_card(mapped.chip.device)
    before = replace(chip.usage)
    for layer, of_layer in zip(mapped.analog_layers().values(), report.layers, strict=True):
        for part in layer.parts:
            vectors = round(of_layer.products_per_image / of_layer.matrices)
            x = torch.zeros(vectors, part.linear.inputs)
            part.linear.multiply(x, point, torch.arange(vectors))
    energy = energy_of(chip.usage.since(before), chip.spec, chip.device, point).total
    assert report.energy_per_image == pytest.approx(energy, rel=1e-9)
    assert report.latency_per_image > 126 * point.multiply_time


def test_text_is_aligned_and_short(report: MappingReport) -> None:
    lines = str(report).splitlines()
    assert lines[0].startswith("3 layers on ")
    assert all(len(line) < 180 for line in lines)
    head = next(line for line in lines if line.startswith("layer "))
    column = head.index("MACs") + 4
    assert all(line[column - 1] != " " for line in lines if line.startswith(("body", "up", "head")))


def test_json(report: MappingReport, tmp_path) -> None:
    report.to_json(tmp_path / "report.json")
    data = json.loads((tmp_path / "report.json").read_text())
    assert data == json.loads(report.to_json())
    assert data["coverage"] == report.coverage
    assert [layer["name"] for layer in data["layers"]] == ["body.0", "up", "head"]
    json.loads(map_to_chip(_Network(), Chip("hzo-mfis-nor", spec=ChipSpec(tiles=3))).report().to_json())


def test_the_floor_plan_is_a_picture_and_the_same_every_time(report: MappingReport, tmp_path) -> None:
    for name in ("a.png", "b.png"):
        save_floor_plan(report, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ArgumentError, match=r"end in \.png"):
        save_floor_plan(report, tmp_path / "a.svg")
    with pytest.raises(ArgumentError, match="layers on tiles"):
        save_floor_plan(replace(report, blocks=()), tmp_path / "c.png")


def test_a_recurrent_layer_is_one_line_with_all_its_products() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.memory = nn.Linear(4, 4), nn.GRU(4, 3, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.memory(self.layer(x))[0]

    chip = Chip("hzo-mfis-nor", seed=1, spec=ChipSpec(rows=16, columns=16, tiles=1))
    (item,) = map_to_chip(Recurrent(), chip, torch.ones(2, 5, 4)).report().digital
    assert (item.name, item.what, item.reason) == ("memory", "GRU", "GRU has no mapping")
    assert item.macs_per_image == 5 * (4 * 9 + 3 * 9)
