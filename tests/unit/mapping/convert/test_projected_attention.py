"""Attention by four layers does what torch's module does, in every form; torch's fused path never runs."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from ferrogen.core.errors import ArgumentError
from ferrogen.mapping.convert.macs import FUSED
from ferrogen.mapping.convert.private import private_copy
from ferrogen.mapping.convert.survey import survey
from ferrogen.mapping.convert.trace import trace_forward
from ferrogen.mapping.modules.attention import project_attention


def _filled(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0.0, 0.4, generator=generator)
    return module.eval()


_SETTINGS = [
    {"bias": bias, "add_bias_kv": added, "add_zero_attn": zero, "batch_first": first, **separate}
    for bias, added, zero, first, separate in itertools.product(
        (True, False), (True, False), (True, False), (True, False), ({}, {"kdim": 5, "vdim": 7})
    )
]


@pytest.mark.parametrize("settings", _SETTINGS)
def test_every_setting_agrees_with_torch(settings: dict[str, object]) -> None:
    source = _filled(nn.MultiheadAttention(8, 2, **settings))
    made = project_attention(source)
    generator = torch.Generator().manual_seed(1)
    kdim, vdim = settings.get("kdim", 8), settings.get("vdim", 8)
    q, k, v = (torch.randn(3, n, d, generator=generator) for n, d in ((4, 8), (6, kdim), (6, vdim)))
    if not settings["batch_first"]:
        q, k, v = (part.transpose(0, 1) for part in (q, k, v))
    padding = torch.tensor([[0, 0, 0, 0, 1, 1], [0] * 6, [1, 0, 0, 0, 0, 0]]).bool()
    causal = torch.ones(4, 6).triu(3).bool()
    each_head = torch.randn(6, 4, 6, generator=generator)
    for mask, key_padding, need, average in [
        (None, None, True, True),
        (causal, None, True, False),
        (causal, padding, False, True),
        (each_head, torch.zeros(3, 6).masked_fill(padding, -1.5), True, True),
    ]:
        arguments = {"attn_mask": mask, "key_padding_mask": key_padding, "average_attn_weights": average}
        wanted, shares = source(q, k, v, need_weights=need, **arguments)
        out, own = made(q, k, v, need_weights=need, **arguments)
        torch.testing.assert_close(out, wanted, rtol=1e-5, atol=1e-5)
        assert (own is None) == (shares is None) == (not need)
        if own is not None:
            torch.testing.assert_close(own, shares, rtol=1e-5, atol=1e-6)


def test_input_without_a_batch() -> None:
    source = _filled(nn.MultiheadAttention(8, 2))
    q, k = torch.randn(4, 8), torch.randn(5, 8)
    padding = torch.tensor([0, 1, 0, 0, 1]).bool()
    for wanted, own in zip(
        source(q, k, k, key_padding_mask=padding), project_attention(source)(q, k, k, padding), strict=True
    ):
        torch.testing.assert_close(own, wanted, rtol=1e-5, atol=1e-6)


def test_a_causal_hint_needs_its_mask() -> None:
    made = project_attention(nn.MultiheadAttention(8, 2))
    x = torch.randn(1, 4, 8)
    with pytest.raises(ArgumentError, match="attn_mask"):
        made(x, x, x, is_causal=True)


class _Seen(torch.utils._python_dispatch.TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func._schema.name.removeprefix("aten::"))
        return func(*args, **(kwargs or {}))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("padded", [True, False])
def test_the_fused_path_cannot_run(padded: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    encoder = _filled(nn.TransformerEncoder(layer, 2))
    x = torch.randn(3, 5, 8)
    mask = torch.tensor([[0, 0, 0, 1, 1], [0] * 5, [0, 0, 0, 0, 1]]).bool() if padded else None
    with torch.no_grad(), _Seen() as seen:
        wanted = encoder(x, src_key_padding_mask=mask)
    assert seen.names.intersection(FUSED)  # torch alone does take it here
    found = survey(private_copy(encoder))
    assert len(found.layers) == 2 * 6
    with torch.no_grad(), _Seen() as own:
        out = found.root(x, src_key_padding_mask=mask)
    assert not own.names.intersection(FUSED)
    kept = slice(None) if mask is None else ~mask
    torch.testing.assert_close(out[kept], wanted[kept], rtol=1e-5, atol=1e-5)
    trace = trace_forward(found.root, [i.module for i in found.layers], [], (x, None, mask), {}, images=3)
    assert all(trace.layers[id(item.module)].macs > 0 for item in found.layers)
    assert {item.operator for item in trace.digital} == {"bmm"}  # scores and mixing, activations by activations
    assert not any(item.with_weights for item in trace.digital)


def test_decoder_layers_and_the_whole_transformer_agree() -> None:
    whole = _filled(nn.Transformer(8, 2, 1, 1, 16, batch_first=True))
    source, target = torch.randn(2, 5, 8), torch.randn(2, 4, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(4)
    found = survey(private_copy(whole))
    assert len(found.layers) == 6 + 10
    with torch.no_grad():
        torch.testing.assert_close(
            found.root(source, target, tgt_mask=mask), whole(source, target, tgt_mask=mask), rtol=1e-5, atol=1e-5
        )
