"""A small convolutional VAE decoder from anywhere, on a chip: mapped, run, saved, reported, drawn."""

from __future__ import annotations

import json

import torch
from torch import nn

import ferrogen as fg
from ferrogen.report.mapping import save_floor_plan


class _Decoder(nn.Module):
    """Latent 8 to 16 x 16 pixels by transposed convolutions, with batch norm, as in any tutorial."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 16 * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1),
        )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.up(self.first(z).relu().unflatten(1, (16, 4, 4))).sigmoid()


def test_a_convolutional_decoder_from_module_to_picture(tmp_path) -> None:
    generator = torch.Generator().manual_seed(1)
    decoder = _Decoder()
    with torch.no_grad():
        for name, parameter in decoder.named_parameters():
            shift = 1.0 if name == "up.1.weight" else 0.0
            parameter.normal_(shift, 0.1 + 0.2 * parameter.dim() / 4, generator=generator)
        for _ in range(20):  # statistics of the batch norm
            decoder(torch.randn(64, 8, generator=generator))
    decoder.eval()
    z = torch.randn(32, 8, generator=generator)
    spec = fg.ChipSpec(rows=128, columns=128, tiles=12)
    mapped = fg.map_to_chip(decoder, fg.Chip("hzo-mfis-nor", seed=3, spec=spec), z)
    report = mapped.report()
    assert report.coverage == 1.0
    assert report.norms_folded == ("up.1",)
    assert report.digital == ()

    with torch.no_grad():
        ideal, images = decoder(z), mapped(z)
    assert images.shape == (32, 1, 16, 16)
    error = float((images - ideal).square().mean().sqrt() / ideal.std())
    assert 0.0 < error < 0.25  # the chip's own errors, and no more
    # Most of the error is the chip's programming, the same in every image; noise is different in each.
    mapped.seek(1000)
    with torch.no_grad():
        others = mapped(z)
    noise = float((images - others).square().mean().sqrt() / ideal.std())
    assert 0.0 < noise < error

    mapped.save(tmp_path / "decoder.safetensors")
    other_chip = fg.map_to_chip(decoder, fg.Chip("hzo-mfis-nor", seed=3, spec=spec))
    again = other_chip.load(tmp_path / "decoder.safetensors")
    assert int(again.clock.next_image) == 1032  # it goes on where the other stopped
    again.seek(0)
    with torch.no_grad():
        assert torch.equal(again(z[:5]), images[:5])
        assert torch.equal(again(z[5:]), images[5:])
    assert json.loads(report.to_json(tmp_path / "report.json"))["coverage"] == 1.0
    save_floor_plan(report, tmp_path / "plan.png")
    assert (tmp_path / "plan.png").stat().st_size > 10_000
