"""GPT-2 on one page: from token ids to logits, every step in sight.

B sequences, T queries and S = T keys, C = d_model, H heads of D = C / H, F = 4 C, V words.
The comments at the ends of lines are shapes.
"""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["gpt2"]

Vectors = Float[Tensor, "B T C"]


def gpt2(
    parameters: Mapping[str, Float[Tensor, "..."]],
    ids: Int[Tensor, "B T"],
    *,
    num_layers: int,
    num_heads: int,
) -> Float[Tensor, "B T V"]:
    """Compute the logits of the token after each position.

    Args:
        parameters: a Decoder's ``state_dict()``, with GPT-2's weights in it.
        ids: tokens, no more in a row than there are learned positions.
        num_layers: L, the number of blocks.
        num_heads: H; divides C.

    Returns:
        One row of logits per position. Bad input is not refused here, and nothing is kept for the
        next token: ``Decoder`` does both, and computes the norms of half precision in float32. NaN
        in a weight makes logits NaN, without a word.

    Source: Radford et al. 2019 (GPT-2), sec. 2.3; openai/gpt-2 ``src/model.py``.
    """
    x = parameters["embedding"][ids] + parameters["positions"][: ids.shape[1]]  # B T C
    for layer in range(num_layers):
        block = _block(parameters, layer)
        normal = _layer_norm(x, block["attention_norm.gain"], block["attention_norm.shift"])
        x = x + _attention(normal, block, num_heads)
        normal = _layer_norm(x, block["feed_forward_norm.gain"], block["feed_forward_norm.shift"])
        x = x + _feed_forward(normal, block)
    x = _layer_norm(x, parameters["final_norm.gain"], parameters["final_norm.shift"])
    return x @ parameters["embedding"].T  # B T V: the embedding's own table once more


def _attention(x: Vectors, block: Mapping[str, Tensor], num_heads: int) -> Vectors:
    """Let each position take from itself and from those before it, with each head on its own."""
    query = _heads(x @ block["attention.w_q"] + block["attention.b_q"], num_heads)  # B H T D
    key = _heads(x @ block["attention.w_k"] + block["attention.b_k"], num_heads)  # B H S D
    value = _heads(x @ block["attention.w_v"] + block["attention.b_v"], num_heads)  # B H S D
    scores = query @ key.mT / math.sqrt(query.shape[-1])  # B H T S
    is_ahead = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).triu(1)  # T S
    weights = scores.masked_fill(is_ahead, -math.inf).softmax(-1)
    output = (weights @ value).transpose(1, 2).flatten(-2)  # B H T D -> B T C
    return output @ block["attention.w_o"] + block["attention.b_o"]


def _heads(x: Vectors, num_heads: int) -> Float[Tensor, "B H T D"]:
    """Cut each vector into one piece per head."""
    return x.view(*x.shape[:2], num_heads, -1).transpose(1, 2)  # B T C -> B T H D -> B H T D


def _feed_forward(x: Vectors, block: Mapping[str, Tensor]) -> Vectors:
    """Widen each vector four times, bend it, and bring it back."""
    wide = _gelu(x @ block["feed_forward.w_in"] + block["feed_forward.b_in"])  # B T F
    return wide @ block["feed_forward.w_out"] + block["feed_forward.b_out"]


def _gelu(x: Float[Tensor, "B T F"]) -> Float[Tensor, "B T F"]:
    """Bend: x times the share of a normal distribution below x, in GPT-2's form with a tanh."""
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _layer_norm(x: Vectors, gain: Float[Tensor, " C"], shift: Float[Tensor, " C"]) -> Vectors:
    """Bring each vector's entries to mean 0 and variance 1, then scale and shift them."""
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred**2).mean(-1, keepdim=True)  # B T 1
    return centred / torch.sqrt(variance + 1e-5) * gain + shift


def _block(parameters: Mapping[str, Tensor], layer: int) -> dict[str, Tensor]:
    """Pick one block's parameters; "blocks.3.attention.w_q" becomes "attention.w_q"."""
    start = f"blocks.{layer}."
    return {name[len(start) :]: w for name, w in parameters.items() if name.startswith(start)}
