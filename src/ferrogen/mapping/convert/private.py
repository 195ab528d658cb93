"""A private copy of somebody's module, with plain weights; and what cannot be mapped at all, in one line each."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.utils import parametrize, prune

from ferrogen.core.errors import ArgumentError, argument_error

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)
_QUANTISED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic", "torch.ao.nn.qat", "torchao.")
_OLD_STYLE = {"WeightNorm": "remove_weight_norm", "SpectralNorm": "remove_spectral_norm"}


def _refuse(must: str, name: str, what: str, remedy: str) -> ArgumentError:
    return argument_error("module", must, f"{what} (submodule '{name}')" if name else what, remedy)


def check_module(module: object) -> nn.Module:
    """Return the module if it is one that can be mapped.

    Raises:
        ArgumentError: it is scripted, compiled, wrapped for many devices, quantised, or lazy.
    """
    if isinstance(module, torch.jit.ScriptFunction) or not isinstance(module, nn.Module):
        raise argument_error("module", "be a torch.nn.Module", f"a {type(module).__name__}", "Wrap it in a module.")
    for name, part in module.named_modules():
        kind = type(part)
        if isinstance(part, torch.jit.ScriptModule):
            raise _refuse("be an eager module", name, "scripted", "Map the module before torch.jit.script or trace.")
        if kind.__name__ == "OptimizedModule":
            raise _refuse("be an eager module", name, "compiled", "Map the module before torch.compile.")
        if isinstance(part, _WRAPPERS):
            raise _refuse("be unwrapped", name, f"a {kind.__name__}", "Pass what it wraps, its attribute `.module`.")
        if kind.__module__.startswith(_QUANTISED):
            must = "have float weights, which the chip codes itself"
            raise _refuse(must, name, "quantised", "Map the float module from before quantisation.")
        if isinstance(part, LazyModuleMixin) and part.has_uninitialized_params():  # type: ignore[misc]
            raise _refuse("know its sizes", name, f"a {kind.__name__} without them", "Run it once on typical inputs.")
    return module


def common_device(module: nn.Module) -> torch.device:
    """Return the device that all of a module's tensors are on (the CPU for a module without any).

    Raises:
        ArgumentError: there are several, or it is the meta device, where tensors have no values.
    """
    tensors = [*module.parameters(), *module.buffers()]
    devices = sorted({str(part.device) for part in tensors})
    if len(devices) > 1:
        raise argument_error("module", "be on one device", f"on {', '.join(devices)}", "Move it with .to(device).")
    if devices == ["meta"]:
        raise argument_error("module", "have values", "on the meta device", "Load its weights first.")
    return torch.device(devices[0]) if devices else torch.device("cpu")


def private_copy(module: nn.Module) -> nn.Module:
    """Return a copy in single precision on the CPU, in evaluation mode, whose weights are plain parameters.

    Tied parameters stay tied; hooks are kept. Parametrisations, weight and spectral norms and pruning masks are
    replaced by the weights they give.

    Raises:
        ArgumentError: it cannot be copied.
    """
    # Tensors that were computed from parameters (an old-style weight norm keeps one) refuse to be copied.
    memo: dict[int, Any] = {}
    for part in module.modules():
        for value in (*vars(part).values(), *part.buffers(recurse=False)):
            if isinstance(value, Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    try:
        made = copy.deepcopy(module, memo)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise argument_error(
            "module", "be one that copy.deepcopy can copy", f"one that says: {str(error).splitlines()[0]}"
        ) from error
    made = made.eval()
    for part in list(made.modules()):
        _make_plain(part)
    return made.to(device="cpu").float()


def _make_plain(module: nn.Module) -> None:
    """Replace whatever computes a module's weights by the weights."""
    if parametrize.is_parametrized(module):
        for name in list(module.parametrizations):  # type: ignore[arg-type]
            parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    for hook in list(module._forward_pre_hooks.values()):  # noqa: SLF001 (torch keeps them nowhere else)
        kind = type(hook)
        if kind.__module__ in ("torch.nn.utils.weight_norm", "torch.nn.utils.spectral_norm"):
            getattr(torch.nn.utils, _OLD_STYLE[kind.__name__])(module, hook.name)  # type: ignore[attr-defined]
        elif kind.__module__ == "torch.nn.utils.prune":
            prune.remove(module, hook._tensor_name)  # type: ignore[attr-defined, no-untyped-call]  # noqa: SLF001


def replace_modules(root: nn.Module, replacements: dict[int, nn.Module]) -> nn.Module:
    """Put other modules in the place of some, wherever they are registered; return the root (or its replacement).

    Args:
        root: changed in place.
        replacements: new module by ``id`` of the old one. What is below a replaced module is left alone.
    """
    if id(root) in replacements:
        return replacements[id(root)]
    seen: set[int] = set()

    def visit(parent: nn.Module) -> None:
        if id(parent) in seen:
            return
        seen.add(id(parent))
        for name, child in list(parent._modules.items()):  # noqa: SLF001 (named_children drops duplicates)
            if child is None:
                continue
            if id(child) in replacements:
                parent._modules[name] = replacements[id(child)]  # noqa: SLF001
            else:
                visit(child)

    visit(root)
    return root


_HOOKS = (
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_pre_hooks",
    "_backward_hooks",
)


def has_hooks(module: nn.Module) -> bool:
    """Say whether somebody hung forward hooks on the module."""
    return bool(module._forward_pre_hooks or module._forward_hooks)  # noqa: SLF001


def keep_hooks(old: nn.Module, new: nn.Module) -> None:
    """Hang an old module's hooks on the one that takes its place; they are called with the new module."""
    for name in _HOOKS:
        getattr(new, name).update(getattr(old, name))
