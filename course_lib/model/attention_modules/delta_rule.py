"""A layer that keeps a state and no keys: a gated delta rule behind a short convolution."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.attention.heads import merge_heads, split_heads
from course_lib.cache.protocol import Cache
from course_lib.cache.state import StateCache
from course_lib.config.delta_rule import GatedDeltaRuleConfig
from course_lib.efficient.delta_rule import gated_delta_rule, gated_delta_rule_in_chunks
from course_lib.efficient.forget_gate import forget_gate
from course_lib.layers.activations import silu
from course_lib.layers.affine import affine
from course_lib.layers.norms import rms_norm, unit_length
from course_lib.layers.short_convolution import short_convolution
from course_lib.model.attention_modules.interface import AttentionModule
from course_lib.model.reading import Reading
from course_lib.precision import at_least_float32
from course_lib.scaling import softmax_scale
from course_lib.sizes import require_positive

__all__ = ["GatedDeltaRule"]

#: What keeps the length of a query or a key off zero: the released code's, which no config names.
_LENGTH_EPS = 1e-6


class GatedDeltaRule(AttentionModule):
    r"""Project, convolve, bend, bring to length one, correct the state, read it, normalise, gate.

    .. math::
        u &= \mathrm{conv}_W(x\, [W_Q, W_K, W_V]) \\
        (q, k, v)_t &= \mathrm{SiLU}(u_t) \\
        \alpha_t &= \text{forget gate}(x_t W_\alpha) \\
        \beta_t &= \sigma(x_t W_\beta)

    .. math::
        Z_t &= \text{gated delta rule} \\
        o_t &= Z_t^\top \hat q_t / \sqrt{D} \\
        n_t &= \mathrm{RMSNorm}(o_t) \\
        y_t &= \big(n_t \odot \mathrm{SiLU}(x_t W_Z)\big) W_O

    Hats are vectors of length one. G queries and keys serve H states, H / G each, whose neighbours
    share one. The convolution is all that tells the layer how near two tokens are, besides the
    order itself. The matrices are zeros until they are drawn or loaded; a head then keeps from 0.85
    to 0.99 of its state at a token, by its rate.

    Source: Yang et al. 2024 (arXiv:2412.06464), sec. 3.4; with more states than keys,
    transformers' Qwen3-Next.
    """

    def __init__(self, config: GatedDeltaRuleConfig, d_model: int) -> None:
        require_positive(d_model=d_model)
        super().__init__()
        self.config = config
        heads, sizes = config.num_heads, config.convolved
        self.w_q, self.w_k, self.w_v = (nn.Parameter(torch.zeros(d_model, size)) for size in sizes)
        self.kernel = nn.Parameter(torch.zeros(config.window, sum(sizes)))
        self.w_alpha = nn.Parameter(torch.zeros(d_model, heads))
        self.w_beta = nn.Parameter(torch.zeros(d_model, heads))
        self.log_rate = nn.Parameter(torch.linspace(1.0, 16.0, heads).log())
        self.b_alpha = nn.Parameter(torch.full((heads,), -4.6))  # ln(1 + exp(-4.6)) is 0.01
        self.w_gate = nn.Parameter(torch.zeros(d_model, sizes[2]))
        self.g_o = nn.Parameter(torch.ones(config.value_dim))
        self.w_o = nn.Parameter(torch.zeros(sizes[2], d_model))

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None, reading: Reading | None = None
    ) -> Float[Tensor, "B T C"]:
        """Let each position read what it and all before it have left in the state.

        A single token takes a step; several go through the state in chunks.

        Raises:
            ValueError: if x does not fit the matrices or the cache.
        """
        kept = None if cache is None else self.require_cache(cache)
        x = Reading.of(x, cache, reading).without_padding(x)
        before, state = (None, None) if kept is None else (kept.before, kept.state)
        query, key, value, before = self.project(x, before)
        rule = gated_delta_rule if x.shape[1] == 1 else gated_delta_rule_in_chunks
        output, state = rule(query, key, value, *self.gates(x), state)
        if kept is not None:
            kept.replace(before, state, x.shape[1])
        normalised = rms_norm(output, at_least_float32(self.g_o), self.config.norm.eps)
        opened = silu(at_least_float32(affine(x, self.w_gate)))
        mixed = merge_heads(normalised) * opened
        return affine(mixed.to(x.dtype), self.w_o)

    def project(
        self, x: Float[Tensor, "B T C"], before: Float[Tensor, "B _ _"] | None
    ) -> tuple[
        Float[Tensor, "B H T D"],
        Float[Tensor, "B H T D"],
        Float[Tensor, "B H T Dv"],
        Float[Tensor, "B _ _"],
    ]:
        """Make queries, keys and values of each state, and the rows before the next token."""
        config = self.config
        rows = torch.cat([affine(x, w) for w in (self.w_q, self.w_k, self.w_v)], dim=-1)
        convolved, after = short_convolution(rows, self.kernel, before)
        parts = torch.split(at_least_float32(silu(convolved)), list(config.convolved), dim=-1)
        query, key = (
            unit_length(split_heads(part, config.num_key_heads), _LENGTH_EPS)
            .repeat_interleave(config.num_shared, dim=1)
            for part in parts[:2]
        )  # fmt: skip
        value = split_heads(parts[2], config.num_heads)
        return query * softmax_scale(config.head_dim), key, value, after

    def gates(
        self, x: Float[Tensor, "B T C"]
    ) -> tuple[Float[Tensor, "B H T"], Float[Tensor, "B H T"]]:
        """Say of each token what a head keeps, and how much of the error it writes."""
        alpha = forget_gate(affine(x, self.w_alpha), self.log_rate, self.b_alpha)
        beta = torch.sigmoid(at_least_float32(affine(x, self.w_beta)))
        return alpha.mT, beta.mT

    def new_cache(self) -> StateCache:
        """Make an empty cache, which will not grow."""
        return StateCache()

    def require_cache(self, cache: Cache) -> StateCache:
        """Refuse a cache that keeps no state.

        Returns:
            The cache.

        Raises:
            ValueError: if it is of another kind.
        """
        if not isinstance(cache, StateCache):
            raise ValueError(
                "this layer keeps a state and the rows of its convolution, in a StateCache; "
                f"a {type(cache).__name__} came; new_cache makes one that fits"
            )
        return cache

    def residual_writers(self) -> tuple[nn.Parameter, ...]:
        """Give the matrix of the one write to the residual stream."""
        return (self.w_o,)
