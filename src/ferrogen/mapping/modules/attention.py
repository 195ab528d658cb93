"""Multi-head attention whose projections are layers of their own, so that each of them can sit on tiles.

``torch.nn.MultiheadAttention`` multiplies by a packed weight inside one function, and in evaluation hands the raw
weights to a fused kernel: neither can be replaced from outside. This module does the same in four projections (analog,
once they are mapped) and digital scores, softmax and mixing, which are products of activations by activations.

Source of the operation: A. Vaswani et al., "Attention is all you need", arXiv:1706.03762, section 3.2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ferrogen.core.errors import argument_error


def _projection(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """Return a linear layer that carries given weights, without drawing any."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.detach().clone(), requires_grad=weight.requires_grad)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=bias.requires_grad)
    return layer


class ProjectedAttention(nn.Module):
    """What ``nn.MultiheadAttention`` computes, by four linear layers: ``q_proj``, ``k_proj``, ``v_proj``, ``out_proj``.

    Arguments and results of the forward are those of ``nn.MultiheadAttention``.

    Args:
        source: the attention module whose weights and settings are copied.
    """

    # What torch's transformer layers look at before they take their fused path, which reads raw weights: with these
    # values they never do.
    in_proj_bias: None = None
    in_proj_weight: None = None
    _qkv_same_embed_dim = False

    def __init__(self, source: nn.MultiheadAttention) -> None:
        super().__init__()
        self.embed_dim, self.num_heads, self.dropout = source.embed_dim, source.num_heads, source.dropout
        self.kdim, self.vdim, self.head_dim = source.kdim, source.vdim, source.head_dim
        self.batch_first, self.add_zero_attn = source.batch_first, source.add_zero_attn
        packed: Tensor | None = source._parameters["in_proj_weight"]  # noqa: SLF001 (typed as never None)
        bias: Tensor | None = source._parameters["in_proj_bias"]  # noqa: SLF001
        separate = (source.q_proj_weight, source.k_proj_weight, source.v_proj_weight)
        weights = separate if packed is None else packed.chunk(3)
        biases = (None, None, None) if bias is None else bias.chunk(3)
        self.q_proj, self.k_proj, self.v_proj = (
            _projection(weight, bias) for weight, bias in zip(weights, biases, strict=True)
        )
        self.out_proj = _projection(source.out_proj.weight, source.out_proj.bias)
        self.bias_k = None if source.bias_k is None else nn.Parameter(source.bias_k.detach().clone())
        self.bias_v = None if source.bias_v is None else nn.Parameter(source.bias_v.detach().clone())
        self.train(source.training)

    def extra_repr(self) -> str:
        """Return the settings that a printed module shows."""
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}, batch_first={self.batch_first}"

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,  # noqa: FBT001, FBT002 (torch's signature)
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,  # noqa: FBT001, FBT002
        is_causal: bool = False,  # noqa: FBT001, FBT002
    ) -> tuple[Tensor, Tensor | None]:
        """Return (attended values, attention weights or None), as ``nn.MultiheadAttention`` does.

        Raises:
            ArgumentError: ``is_causal`` without ``attn_mask``.
        """
        if is_causal and attn_mask is None:
            raise argument_error(
                "attn_mask", "be given with is_causal=True", "None", "Pass the causal mask, as torch asks for, too."
            )
        batched = query.dim() == 3
        turn = batched and not self.batch_first
        if not batched:
            query, key, value = query[None], key[None], value[None]
            key_padding_mask = None if key_padding_mask is None else key_padding_mask[None]
        elif turn:
            query, key, value = query.transpose(0, 1), key.transpose(0, 1), value.transpose(0, 1)
        q, k, v = self.q_proj(query), self.k_proj(key), self.v_proj(value)
        batch, length, added = q.shape[0], q.shape[1], 0
        if self.bias_k is not None and self.bias_v is not None:
            k = torch.cat([k, self.bias_k.expand(batch, 1, -1)], dim=1)
            v = torch.cat([v, self.bias_v.expand(batch, 1, -1)], dim=1)
            added += 1
        if self.add_zero_attn:
            k, v = (torch.cat([part, part.new_zeros(batch, 1, part.shape[2])], dim=1) for part in (k, v))
            added += 1
        q, k, v = (part.reshape(batch, -1, self.num_heads, self.head_dim).transpose(1, 2) for part in (q, k, v))
        mask = _mask(attn_mask, key_padding_mask, batch, self.num_heads, q.dtype, added)
        scores = (q / math.sqrt(self.head_dim)) @ k.transpose(2, 3)
        shares = torch.softmax(scores if mask is None else scores + mask, dim=-1)
        shares = nn.functional.dropout(shares, self.dropout, self.training)
        mixed = (shares @ v).transpose(1, 2).reshape(batch, length, -1)
        out = self.out_proj(mixed)
        weights = (shares.mean(dim=1) if average_attn_weights else shares) if need_weights else None
        if not batched:
            return out[0], None if weights is None else weights[0]
        return (out.transpose(0, 1) if turn else out), weights


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a mask as what is added to scores: a boolean one forbids where it is true."""
    if mask.dtype is not torch.bool:
        return mask.to(dtype)
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(mask, -math.inf)


def _mask(
    attn_mask: Tensor | None,
    key_padding_mask: Tensor | None,
    batch: int,
    heads: int,
    dtype: torch.dtype,
    added: int,
) -> Tensor | None:
    """Return what is added to scores ``(batch, heads, queries, keys)``; the ``added`` last keys are always seen."""
    mask: Tensor | None = None
    if attn_mask is not None:
        mask = _additive(attn_mask, dtype)
        # One mask a head and image comes flat, (batch * heads, queries, keys).
        mask = mask.reshape(batch, heads, *mask.shape[1:]) if mask.dim() == 3 else mask[None, None]
    if key_padding_mask is not None:
        padding = _additive(key_padding_mask, dtype)[:, None, None]
        mask = padding if mask is None else mask + padding
    return mask if mask is None or added == 0 else nn.functional.pad(mask, (0, added))


def project_attention(source: nn.MultiheadAttention) -> ProjectedAttention:
    """Return the module that does what ``source`` does by linear layers, its hooks included."""
    made = ProjectedAttention(source)
    for name in (
        "_forward_hooks",
        "_forward_pre_hooks",
        "_forward_hooks_with_kwargs",
        "_forward_pre_hooks_with_kwargs",
    ):
        getattr(made, name).update(getattr(source, name))
    return made
