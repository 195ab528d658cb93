"""Batch norms folded into the layer before them: with evaluation statistics they are a scale and a shift of outputs.

Where the executed data flow shows that a batch norm takes all of a layer's outputs, and nobody else does,
y = (W x + b - mean) g / sqrt(variance + eps) + shift is one layer with other weights and bias. Source: B. Jacob et al.,
"Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR 2018,
doi:10.1109/CVPR.2018.00286, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ferrogen.mapping.convert.private import has_hooks

NORMS: tuple[type[nn.Module], ...] = (nn.BatchNorm1d, nn.BatchNorm2d)
"""Classes of batch norms that can be folded; subclasses with a forward of their own are not."""


def is_foldable(norm: nn.Module) -> bool:
    """Say whether a module is a batch norm that does in evaluation what its statistics say."""
    return type(norm) in NORMS and isinstance(norm.running_mean, Tensor) and isinstance(norm.running_var, Tensor)


def norms_of(root: nn.Module) -> dict[str, nn.Module]:
    """Return the batch norms that might be folded, by path."""
    return {name: part for name, part in root.named_modules() if is_foldable(part)}


def _fits(layer: nn.Module, norm: nn.Module, shapes: list[tuple[int, ...]]) -> bool:
    """Say whether the batch norm's channels are the layer's outputs: dimension 1 of what it takes."""
    if isinstance(layer, nn.Linear):
        return layer.out_features == norm.num_features and all(len(shape) == 2 for shape in shapes)
    spatial = 1 if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d) else 2
    return layer.out_channels == norm.num_features and all(len(shape) == spatial + 2 for shape in shapes)


def choose_folds(
    layers: Mapping[int, nn.Module],
    norms: Mapping[int, nn.Module],
    follows: Mapping[int, int],
    shapes: Mapping[int, list[tuple[int, ...]]],
    tied: set[int],
) -> dict[int, int]:
    """Return which batch norms to fold into which layers, ``{norm id: layer id}``.

    Args:
        layers: for tiles, by id.
        norms: candidates, by id.
        follows: which norm alone takes all outputs of which layer.
        shapes: of the layers' inputs, by id.
        tied: ids of the layers that share their weight with others: folding would part them.
    """
    return {
        norm: layer
        for norm, layer in follows.items()
        if layer in layers
        and layer not in tied
        and norm in norms
        and not has_hooks(layers[layer])
        and _fits(layers[layer], norms[norm], shapes.get(layer, []))
    }


def fold(layer: Any, norm: Any) -> None:
    """Give a layer the weights and the bias with which it does what layer and batch norm did; in double precision."""
    mean, scale = norm.running_mean.double(), torch.rsqrt(norm.running_var.double() + norm.eps)
    if norm.affine:
        scale = scale * norm.weight.detach().double()
    shift = -mean * scale
    if norm.affine:
        shift = shift + norm.bias.detach().double()
    weight: Tensor = layer.weight.detach().double()
    if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d):
        # (inputs, outputs of a group, ...): input channels of a group meet the outputs of that group.
        each = scale.reshape(layer.groups, 1, -1).expand(-1, layer.in_channels // layer.groups, -1)
        factor = each.reshape(layer.in_channels, -1)
        weight = weight * factor.reshape(*factor.shape, *(1,) * (weight.dim() - 2))
    else:
        weight = weight * scale.reshape(-1, *(1,) * (weight.dim() - 1))
    before = 0.0 if layer.bias is None else layer.bias.detach().double()
    layer.weight = nn.Parameter(weight.float())
    layer.bias = nn.Parameter((before * scale + shift).float())


def follows_in_graph(root: nn.Module, layers: set[int], norms: set[int]) -> dict[int, int]:
    """Return what :attr:`.trace.Trace.follows` says, without inputs: from torch.fx, where it can trace the module.

    Only Python's own control flow on shapes or values defeats it; then nothing is folded.
    """
    from torch import fx

    class Tracer(fx.Tracer):
        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            return id(m) in layers | norms or super().is_leaf_module(m, module_qualified_name)

    try:
        graph = Tracer().trace(root)
    except Exception:  # noqa: BLE001 (whatever a stranger's forward raises at symbolic arguments: it cannot be traced)
        return {}
    parts = dict(root.named_modules(remove_duplicate=False))
    calls: dict[int, list[fx.Node]] = {}
    for node in graph.nodes:
        if node.op == "call_module":
            calls.setdefault(id(parts[str(node.target)]), []).append(node)
    found: dict[int, int] = {}
    for norm in norms:
        sources = {
            id(parts[str(given.target)]) if isinstance(given, fx.Node) and given.op == "call_module" else None
            for given in (node.args[0] if node.args else None for node in calls.get(norm, []))
        }
        layer = next(iter(sources)) if len(sources) == 1 else None
        if layer is None or layer not in layers:
            continue
        only = all(
            len(node.users) == 1 and id(parts.get(str(next(iter(node.users)).target))) == norm for node in calls[layer]
        )
        if only and len(calls[layer]) == len(calls[norm]):
            found[norm] = layer
    return found
