"""Tracing counts every product, whoever makes it; batch norms are folded where, and only where, nobody can tell."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from ferrogen.mapping.convert.fold import choose_folds, fold, follows_in_graph, norms_of
from ferrogen.mapping.convert.private import private_copy
from ferrogen.mapping.convert.survey import survey
from ferrogen.mapping.convert.trace import Trace, trace_forward


def _trace(module: nn.Module, *inputs: torch.Tensor, skip: tuple[str, ...] = ()) -> tuple[Trace, dict[str, nn.Module]]:
    found = survey(private_copy(module), skip)
    layers = {item.name: item.module for item in found.layers}
    norms = norms_of(found.root)
    trace = trace_forward(found.root, layers.values(), norms.values(), inputs, {}, images=inputs[0].shape[0])
    return trace, layers


class _Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 5)
        self.own = nn.Parameter(torch.randn(4, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.linear(self.layer(x), self.own)
        y = y + torch.einsum("bi,ji->bj", y, torch.ones(4, 4))
        scores = y[:, :, None] @ y[:, None, :]
        return nn.functional.scaled_dot_product_attention(scores, scores, scores)


def test_functions_matmul_einsum_and_attention_are_counted() -> None:
    trace, layers = _trace(_Functional(), torch.randn(3, 6))
    assert trace.layers[id(layers["layer"])].macs == 3 * 6 * 5
    by_name = {(item.operator, item.with_weights): item.macs for item in trace.digital}
    assert by_name[("mm", True)] == 3 * 5 * 4
    outer, einsum = 3 * 4 * 4, 3 * 4 * 4
    attention = 3 * 4 * 4 * (4 + 4)
    assert sum(item.macs for item in trace.digital) == 3 * 5 * 4 + outer + einsum + attention


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (nn.Conv2d(4, 6, 3, padding=1, groups=2), (2, 4, 5, 7), 2 * 5 * 7 * 6 * 2 * 9),
        (nn.ConvTranspose2d(4, 6, 3, stride=2), (2, 4, 5, 7), 2 * 5 * 7 * 4 * 6 * 9),
        (nn.Conv1d(3, 2, 3, stride=2), (2, 3, 9), 2 * 4 * 2 * 3 * 3),
        (nn.Linear(5, 3), (2, 4, 5), 2 * 4 * 5 * 3),
    ],
)
def test_layers_products_are_counted(layer: nn.Module, shape: tuple[int, ...], macs: int) -> None:
    trace, layers = _trace(nn.Sequential(layer), torch.randn(shape))
    assert trace.layers[id(layers["0"])].macs == macs
    assert trace.digital == []


def test_recurrent_layers_are_counted_as_digital() -> None:
    trace, _ = _trace(nn.Sequential(nn.LSTM(4, 3, batch_first=True)), torch.randn(2, 5, 4))
    assert sum(item.macs for item in trace.digital) == 2 * 5 * (4 * 12 + 3 * 12)


def test_what_draws_is_recorded_and_the_generator_is_left_alone() -> None:
    class Noisy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.randn_like(x)

    before = torch.random.get_rng_state()
    trace, _ = _trace(nn.Sequential(Noisy(), nn.Dropout(0.5)), torch.ones(2, 3))
    assert trace.random == {("0", "randn_like"): 1}  # dropout does nothing in evaluation
    assert torch.equal(before, torch.random.get_rng_state())


class _Branch(nn.Module):
    """The batch norm's input is needed elsewhere, too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return self.norm(y) + y


class _Returned(_Branch):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[override]
        y = self.conv(x)
        return self.norm(y), y


class _Stored(_Branch):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.features = self.conv(x)
        return self.norm(self.features)


class _Between(_Branch):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x).relu())


class _InPlace(_Branch):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        y.relu_()
        return self.norm(y)


class _Before(_Branch):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(self.norm(x))


class _SharedConvolution(_Branch):
    """One convolution, then one of two batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.other = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2)
        self.norm = nn.BatchNorm2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.other(self.conv(self.norm(self.conv(x))))


class _SharedNorm(_SharedConvolution):
    """Two convolutions, one batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Conv2d(2, 2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.second(self.norm(self.conv(x))))


class _Hooked(_Branch):
    def __init__(self) -> None:
        super().__init__()
        self.conv.register_forward_hook(lambda _module, _args, out: out * 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x))


class _Tokens(_Branch):
    """Normalises tokens, not the layer's outputs, though both are three."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Linear(2, 3), nn.BatchNorm1d(3)  # type: ignore[assignment]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x.flatten(2)[:, :, :2].repeat(1, 2, 1)[:, :3]))


class _Plain(_Branch):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)).relu()


class _Twice(_Branch):
    """The same pair, used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(self.norm(self.conv(x))))


_NEVER = [_Branch, _Returned, _Stored, _Between, _InPlace, _Before, _SharedConvolution, _SharedNorm, _Hooked, _Tokens]


def _chosen(module: nn.Module, x: torch.Tensor) -> tuple[nn.Module, dict[int, int], dict[int, nn.Module]]:
    found = survey(private_copy(module))
    layers = {id(item.module): item.module for item in found.layers}
    norms = {id(part): part for part in norms_of(found.root).values()}
    trace = trace_forward(found.root, layers.values(), norms.values(), (x,), {}, images=x.shape[0])
    shapes = {key: part.shapes for key, part in trace.layers.items()}
    return found.root, choose_folds(layers, norms, trace.follows, shapes, set()), layers | norms


@pytest.mark.parametrize("kind", _NEVER)
def test_a_batch_norm_is_not_folded_where_it_would_show(kind: type[nn.Module]) -> None:
    _, folds, _ = _chosen(kind(), torch.randn(2, 2, 7, 7))
    assert folds == {}


@pytest.mark.parametrize("kind", [_Plain, _Twice])
def test_a_batch_norm_that_follows_is_folded(kind: type[nn.Module]) -> None:
    root, folds, parts = _chosen(kind(), torch.randn(2, 2, 7, 7))
    assert [(type(parts[norm]), type(parts[layer])) for norm, layer in folds.items()] == [(nn.BatchNorm2d, nn.Conv2d)]
    layers, norms = {id(root.conv)}, {id(root.norm)}
    assert follows_in_graph(root, layers, norms) == {id(root.norm): id(root.conv)}


@pytest.mark.parametrize("kind", [k for k in _NEVER if k not in (_Stored, _Hooked, _Tokens)])
def test_the_graph_alone_does_not_fold_wrongly_either(kind: type[nn.Module]) -> None:
    root = private_copy(kind())
    layers = {id(part) for part in root.modules() if isinstance(part, nn.Conv2d)}
    norms = {id(part) for part in root.modules() if isinstance(part, nn.BatchNorm2d)}
    assert follows_in_graph(root, layers, norms) == {}


@pytest.mark.parametrize(
    ("layer", "norm", "shape"),
    [
        (nn.Linear(5, 6), nn.BatchNorm1d(6), (4, 5)),
        (nn.Conv1d(4, 6, 3, groups=2, bias=False), nn.BatchNorm1d(6), (4, 4, 9)),
        (nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6, affine=False), (4, 4, 6, 6)),
        (nn.ConvTranspose1d(4, 6, 3, groups=2, stride=2), nn.BatchNorm1d(6), (4, 4, 6)),
        (nn.ConvTranspose2d(4, 6, 3, groups=2, stride=2, bias=False), nn.BatchNorm2d(6, eps=0.1), (4, 4, 5, 5)),
    ],
)
def test_a_folded_layer_does_what_both_did(layer: nn.Module, norm: nn.Module, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        norm.running_mean.normal_(generator=generator)
        norm.running_var.uniform_(0.1, 3.0, generator=generator)
        for parameter in norm.parameters():
            parameter.normal_(generator=generator)
    norm.eval()
    x = torch.randn(shape, generator=generator)
    wanted = norm(layer(x))
    fold(layer, norm)
    torch.testing.assert_close(layer(x), wanted, rtol=1e-5, atol=1e-5)


def test_effective_weights_replace_norms_masks_and_parametrisations() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        old = nn.utils.weight_norm(nn.Linear(4, 3))
    new = nn.utils.parametrizations.weight_norm(nn.Linear(3, 4))
    pruned = nn.Linear(4, 4)
    prune.random_unstructured(pruned, "weight", 0.5)
    module = nn.Sequential(old, new, pruned, nn.utils.parametrizations.spectral_norm(nn.Linear(4, 2))).eval()
    x = torch.randn(5, 4)
    wanted = module(x)
    copied = private_copy(module)
    torch.testing.assert_close(copied(x), wanted)
    assert all("weight" in dict(part.named_parameters()) for part in copied)
    assert nn.utils.parametrize.is_parametrized(module[1])  # the user's own is as it was


def test_tied_parameters_and_hooks_survive_the_copy() -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[1].weight = module[0].weight
    module[0].register_forward_hook(lambda _module, _args, out: out + 1)
    copied = private_copy(module.half())
    assert copied[0].weight is copied[1].weight
    assert copied[0].weight is not module[0].weight
    assert copied[0].weight.dtype is torch.float32
    assert module[0].weight.dtype is torch.float16
    assert len(copied[0]._forward_hooks) == 1
