"""Which layers of a module can sit on tiles, which the user leaves digital, and why others must stay so."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ferrogen.core.errors import argument_error
from ferrogen.mapping.convert.private import keep_hooks, replace_modules
from ferrogen.mapping.modules.attention import project_attention

SUPPORTED: tuple[type[nn.Module], ...] = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
)
"""Layers that go on tiles, apart from the projections of ``nn.MultiheadAttention``."""

# Layers with weights that multiply, but for which there is no mapping.
_UNSUPPORTED: tuple[type[nn.Module], ...] = (
    nn.Conv3d,
    nn.ConvTranspose3d,
    nn.Bilinear,
    nn.RNNBase,
    nn.RNNCellBase,
)


@dataclass(frozen=True, slots=True, eq=False)
class FoundLayer:
    """A layer that can sit on tiles.

    Attributes:
        name: its path in the module.
        module: with float weights.
        also: other paths under which the same module is registered.
    """

    name: str
    module: nn.Module
    also: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Name of its class among torch's."""
        return next(base.__name__ for base in SUPPORTED if isinstance(self.module, base))


@dataclass(frozen=True, slots=True, eq=False)
class LeftDigital:
    """A layer with weights that stays digital.

    Attributes:
        name: its path.
        module: the layer.
        reason: why.
    """

    name: str
    module: nn.Module
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What was found.

    Attributes:
        root: the module; a new one if it was itself an attention module.
        layers: for tiles, in the order of registration.
        left: layers with weights that stay digital.
    """

    root: nn.Module
    layers: tuple[FoundLayer, ...]
    left: tuple[LeftDigital, ...]


def _reason(module: nn.Module) -> str | None:
    """Return why a layer of a supported class, or one like it, cannot be mapped; None: it can, or it is no layer."""
    if isinstance(module, _UNSUPPORTED):
        return f"{type(module).__name__} has no mapping"
    base = next((base for base in SUPPORTED if isinstance(module, base)), None)
    if base is None:
        return None
    own = [
        name
        for name in ("forward", "_conv_forward")
        if getattr(type(module), name, None) is not getattr(base, name, None)
    ]
    if own:
        return f"{type(module).__name__} overrides {base.__name__}.{own[0]}"
    weight = module.weight
    if isinstance(weight, Tensor) and weight.numel() == 0:
        return "of size zero"
    return None


def _check_values(name: str, module: nn.Module) -> None:
    for part, tensor in module.named_parameters(recurse=False):
        broken = int((~torch.isfinite(tensor)).sum())
        if broken:
            raise argument_error(
                "module",
                "have finite weights",
                f"one with {broken} NaN or infinite value{'s' if broken > 1 else ''} in '{_path(name, part)}'",
                "Check its training, or leave the layer digital with skip=[...].",
            )
        if not tensor.is_floating_point():
            raise argument_error(
                "module", "have real weights", f"one with {tensor.dtype} in '{_path(name, part)}'", "Use skip=[...]."
            )


def _path(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def _check_skip(root: nn.Module, skip: Iterable[str]) -> tuple[str, ...]:
    if isinstance(skip, str):
        raise argument_error("skip", "be a list of names", repr(skip), f"Write skip=[{skip!r}].")
    wanted = tuple(skip)
    known = [name for name, _ in root.named_modules(remove_duplicate=False)]
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=3)
            remedy = f"Did you mean {', '.join(map(repr, near))}?" if near else "See module.named_modules()."
            raise argument_error("skip", "name submodules", repr(name), remedy)
    return wanted


def _is_below(name: str, prefixes: Iterable[str]) -> bool:
    return any(prefix in ("", name) or name.startswith(f"{prefix}.") for prefix in prefixes)


def survey(root: nn.Module, skip: Iterable[str] = ()) -> Survey:
    """Find the layers of a private copy; attention modules are replaced by ones with layers for projections.

    Args:
        root: private copy (:func:`.private.private_copy`), changed in place.
        skip: paths of submodules that stay digital, with all that is below them.

    Raises:
        ArgumentError: a path that is not there, or weights that are NaN, infinite or complex.
    """
    wanted = _check_skip(root, skip)
    paths: dict[int, list[str]] = {}
    parts: dict[int, nn.Module] = {}

    def skipped(module: nn.Module) -> bool:
        return any(_is_below(name, wanted) for name in paths[id(module)])

    def note(start: nn.Module) -> None:
        paths.clear()
        for name, part in start.named_modules(remove_duplicate=False):
            paths.setdefault(id(part), []).append(name)
            parts[id(part)] = part

    note(root)
    swaps: dict[int, nn.Module] = {}
    for part in [parts[key] for key in paths]:
        if isinstance(part, nn.TransformerEncoder):
            part.use_nested_tensor = False  # nested tensors are for the fused path, which reads raw weights
        if type(part) is nn.MultiheadAttention and not skipped(part):
            swaps[id(part)] = project_attention(part)
            keep_hooks(part, swaps[id(part)])
    root = replace_modules(root, swaps)
    kept = list(parts.values())  # keeps the old modules' ids taken
    note(root)
    layers: list[FoundLayer] = []
    left: list[LeftDigital] = []
    for key, names in paths.items():
        part = parts[key]
        if _is_below(names[0], [item.name for item in left]):
            continue
        reason = _reason(part)
        if isinstance(part, nn.MultiheadAttention):
            reason = f"{type(part).__name__} overrides nn.MultiheadAttention"
        if skipped(part) and (reason is not None or isinstance(part, SUPPORTED)):
            reason = "left digital by skip"
        if reason is not None:
            left.append(LeftDigital(names[0], part, reason))
        elif isinstance(part, SUPPORTED):
            _check_values(names[0], part)
            layers.append(FoundLayer(names[0], part, tuple(names[1:])))
    del kept
    return Survey(root, tuple(layers), tuple(left))
