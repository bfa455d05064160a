"""Llama 2 and 3 on one page: from token ids to logits, every step in sight.

B sequences, T queries and S = T keys, C = d_model, H query heads and G key/value heads of D,
F = d_ff, V words. The comments at the ends of lines are shapes.
"""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["llama"]

Vectors = Float[Tensor, "B T C"]


def llama(
    parameters: Mapping[str, Float[Tensor, "..."]],
    ids: Int[Tensor, "B T"],
    *,
    num_layers: int,
    num_heads: int,
    num_kv_heads: int,
    rope_base: float,
) -> Float[Tensor, "B T V"]:
    """Compute the logits of the token after each position.

    Args:
        parameters: a Decoder's ``state_dict()``, with Llama's weights in it.
        ids: tokens.
        num_layers: L, the number of blocks.
        num_heads: H of them.
        num_kv_heads: G; divides H, and is H in Llama 2 7B.
        rope_base: what RoPE's frequencies are powers of: 10,000 in Llama 2, 500,000 in Llama 3.

    Returns:
        One row of logits per position. Bad input is not refused here, and nothing is kept for the
        next token: ``Decoder`` does both, computes the norms of half precision in float32, and
        stretches Llama 3.1's frequencies. The norms' eps is 1e-5, as in all of Llama 2 and 3. NaN
        in a weight makes logits NaN, without a word.

    Source: Touvron et al. 2023 (arXiv:2302.13971), sec. 2.2; groups: Ainslie et al. 2023
    (arXiv:2305.13245), sec. 2.2; rotation: Su et al. 2021 (arXiv:2104.09864), eq. 15, half-split.
    """
    x = parameters["embedding"][ids]  # B T C
    head_dim = parameters["blocks.0.attention.w_q"].shape[1] // num_heads
    frequencies = rope_base ** -(torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    angles = (torch.arange(ids.shape[1])[:, None] * frequencies).to(x.device)  # T D/2
    for layer in range(num_layers):
        block = _block(parameters, layer)
        normal = _rms_norm(x, block["attention_norm.gain"])
        x = x + _attention(normal, block, num_heads, num_kv_heads, angles)
        x = x + _feed_forward(_rms_norm(x, block["feed_forward_norm.gain"]), block)
    x = _rms_norm(x, parameters["final_norm.gain"])
    return x @ parameters.get("unembedding", parameters["embedding"].T)  # B T V; one table if tied


def _attention(
    x: Vectors, block: Mapping[str, Tensor], num_heads: int, num_kv_heads: int, angles: Tensor
) -> Vectors:
    """Let each position take from itself and from those before; H / G queries share a key."""
    query = _rotate(_heads(x @ block["attention.w_q"], num_heads), angles)  # B H T D
    key = _rotate(_heads(x @ block["attention.w_k"], num_kv_heads), angles)  # B G S D
    value = _heads(x @ block["attention.w_v"], num_kv_heads)  # B G S D
    key = key.repeat_interleave(num_heads // num_kv_heads, dim=1)  # B G S D -> B H S D
    value = value.repeat_interleave(num_heads // num_kv_heads, dim=1)
    scores = query @ key.mT / math.sqrt(query.shape[-1])  # B H T S
    is_ahead = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).triu(1)  # T S
    weights = scores.masked_fill(is_ahead, -math.inf).softmax(-1)
    output = (weights @ value).transpose(1, 2).flatten(-2)  # B H T D -> B T H·D
    return output @ block["attention.w_o"]


def _heads(x: Float[Tensor, "B T _"], num_heads: int) -> Float[Tensor, "B _ T D"]:
    """Cut each vector into one piece per head."""
    return x.view(*x.shape[:2], num_heads, -1).transpose(1, 2)  # B T H·D -> B T H D -> B H T D


def _rotate(x: Float[Tensor, "B _ T D"], angles: Float[Tensor, "T _"]) -> Float[Tensor, "B _ T D"]:
    """Turn entry i and entry i + D / 2 of each query or key together, by its position's angle."""
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)  # T D/2
    first, second = x.chunk(2, dim=-1)  # B H T D/2
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


def _feed_forward(x: Vectors, block: Mapping[str, Tensor]) -> Vectors:
    """Widen each vector twice, let one of the two gate the other (SwiGLU), and bring it back."""
    gate = torch.nn.functional.silu(x @ block["feed_forward.w_gate"])  # B T F
    return (gate * (x @ block["feed_forward.w_up"])) @ block["feed_forward.w_down"]


def _rms_norm(x: Vectors, gain: Float[Tensor, " C"]) -> Vectors:
    """Bring each vector's entries to mean square 1, then scale them."""
    return x / torch.sqrt((x**2).mean(-1, keepdim=True) + 1e-5) * gain


def _block(parameters: Mapping[str, Tensor], layer: int) -> dict[str, Tensor]:
    """Pick one block's parameters; "blocks.3.attention.w_q" becomes "attention.w_q"."""
    start = f"blocks.{layer}."
    return {name[len(start) :]: w for name, w in parameters.items() if name.startswith(start)}
