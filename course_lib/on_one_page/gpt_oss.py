"""gpt-oss-20b and 120b on one page: from token ids to logits, every step in sight.

B sequences, T queries and S = T keys, C = d_model, H query heads and G key/value heads of D,
E experts of which a token uses 4, F = d_ff, V words. The comments at the ends of lines are shapes.
"""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["gpt_oss"]

Vectors = Float[Tensor, "B T C"]


def gpt_oss(
    parameters: Mapping[str, Float[Tensor, "..."]], ids: Int[Tensor, "B T"], *, num_layers: int
) -> Float[Tensor, "B T V"]:
    """Compute the logits of the token after each position.

    Args:
        parameters: a Decoder's ``state_dict()``, with the weights of gpt-oss in it.
        ids: tokens.
        num_layers: L, the number of blocks: 24 or 36.

    Returns:
        One row of logits per position. Bad input is not refused here, and nothing is kept for the
        next token: ``Decoder`` does both, and computes norms, softmax and gates of half precision
        in float32. NaN in a weight makes logits NaN, without a word.

    Source: OpenAI 2025 (arXiv:2508.10925), sec. 2, and its ``torch/model.py``; YaRN: Peng et al.
    2023 (arXiv:2309.00071), eq. 22 and 23, with a ramp that is not rounded.
    """
    x = parameters["embedding"][ids]  # B T C
    head_dim = parameters["blocks.0.attention.w_q"].shape[1] // len(_block(parameters, 0)["sinks"])
    angles = (torch.arange(ids.shape[1])[:, None] * _frequencies(head_dim)).to(x.device)  # T D/2
    for layer in range(num_layers):
        block = _block(parameters, layer)
        reach = 128 if layer % 2 == 0 else ids.shape[1]  # every other layer has a window
        x = x + _attention(_rms_norm(x, block["attention_norm.gain"]), block, angles, reach)
        x = x + _experts(_rms_norm(x, block["feed_forward_norm.gain"]), block)
    return _rms_norm(x, parameters["final_norm.gain"]) @ parameters["unembedding"]  # B T V


def _attention(x: Vectors, block: Mapping[str, Tensor], angles: Tensor, reach: int) -> Vectors:
    """Read the last positions in groups of heads; a sink takes a share and hands over nothing."""
    num_heads, head_dim = len(block["sinks"]), 2 * angles.shape[1]
    query, key, value = (_heads(x @ block[f"w_{i}"] + block[f"b_{i}"], head_dim) for i in "qkv")
    key, value = (x.repeat_interleave(num_heads // key.shape[1], dim=1) for x in (key, value))
    scores = _rotate(query, angles) @ _rotate(key, angles).mT / math.sqrt(head_dim)  # B H T S
    ones = torch.ones_like(scores, dtype=torch.bool)
    scores = scores.masked_fill(ones.triu(1) | ones.tril(-reach), -math.inf)
    sinks = block["sinks"][:, None, None].expand(*scores.shape[:-1], 1)  # B H T 1
    weights = torch.cat([scores, sinks], -1).softmax(-1)[..., :-1]  # rows sum to less than 1
    output = (weights @ value).transpose(1, 2).flatten(-2)  # B H T D -> B T H·D
    return output @ block["w_o"] + block["b_o"]


def _heads(x: Float[Tensor, "B T _"], head_dim: int) -> Float[Tensor, "B _ T D"]:
    """Cut each vector into one piece per head."""
    return x.view(*x.shape[:2], -1, head_dim).transpose(1, 2)  # B T H·D -> B T H D -> B H T D


def _frequencies(head_dim: int) -> Float[Tensor, " _"]:
    """Slow pairs turn 32 times slower than they did in 4,096 tokens (YaRN), fast ones as before."""
    pair = torch.arange(head_dim // 2, dtype=torch.float64)
    fast = 150_000.0 ** (-2 * pair / head_dim)
    turns = torch.tensor([32.0, 1.0], dtype=torch.float64)  # of a pair within those 4,096 tokens
    low, high = head_dim * (4096 / (turns * 2 * math.pi)).log() / (2 * math.log(150_000))
    ramp = ((pair - low) / (high - low)).clamp(0, 1)  # 0: as before
    return torch.lerp(fast, fast / 32, ramp)


def _rotate(x: Float[Tensor, "B _ T D"], angles: Float[Tensor, "T _"]) -> Float[Tensor, "B _ T D"]:
    """Turn entry i and entry i + D / 2 together; queries and keys grow by YaRN's concentration."""
    concentration = 0.1 * math.log(32) + 1
    cosine, sine = (concentration * turn(angles).to(x.dtype) for turn in (torch.cos, torch.sin))
    first, second = x.chunk(2, dim=-1)  # B H T D/2
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


def _experts(x: Vectors, block: Mapping[str, Tensor]) -> Vectors:
    """Send each vector through 4 experts, and mix what they give by the router's weights."""
    logits, experts = (x @ block["w_router"] + block["b_router"]).topk(4)  # B T 4
    opened = torch.einsum("btc,btacf->btaf", x, block["w_gate_up"][experts])  # B T 4 2F
    opened = opened + block["b_gate_up"][experts]
    gate, up = opened[..., ::2].clamp(max=7), opened[..., 1::2].clamp(-7, 7)  # in turn
    inner = gate * torch.sigmoid(1.702 * gate) * (up + 1)  # B T 4 F
    given = torch.einsum("btaf,btafc->btac", inner, block["w_down"][experts])
    return ((given + block["b_down"][experts]) * logits.softmax(-1)[..., None]).sum(2)


def _rms_norm(x: Vectors, gain: Float[Tensor, " C"]) -> Vectors:
    """Bring each vector's entries to mean square 1, then scale them."""
    return x / torch.sqrt((x**2).mean(-1, keepdim=True) + 1e-5) * gain


def _block(parameters: Mapping[str, Tensor], layer: int) -> dict[str, Tensor]:
    """Pick one block's parameters; "blocks.3.attention.w_q" becomes "w_q"."""
    start = f"blocks.{layer}."
    mine = {name[len(start) :]: w for name, w in parameters.items() if name.startswith(start)}
    return {n.replace("attention.", "").replace("feed_forward.", ""): w for n, w in mine.items()}
