"""Causal self-attention as a module: every decoder of the zoo is a configuration of it."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from course_lib.attention.grouped import grouped_mix, grouped_scores
from course_lib.attention.heads import merge_heads, split_heads
from course_lib.attention.score_steps import mask_scores, soft_cap
from course_lib.cache.growing import KVCache
from course_lib.cache.rolling import RollingKVCache
from course_lib.config.attention import AttentionConfig
from course_lib.config.norms import HeadQKNorm, ProjectionQKNorm
from course_lib.layers.affine import affine
from course_lib.masks import causal_mask, window_mask
from course_lib.model.norm_modules import norm_module
from course_lib.model.rotary import rope_frequencies
from course_lib.positions.rope import rotate
from course_lib.scaling import softmax_scale
from course_lib.softmax import masked_softmax, softmax_with_sink

__all__ = ["Cache", "CausalAttention"]

Cache = KVCache | RollingKVCache


class CausalAttention(nn.Module):
    r"""Project, normalise, rotate, remember, score, cap, mask, weigh, mix, project.

    .. math:: O = \mathrm{softmax}\big(\mathrm{cap}(Q K^\top \cdot \text{scale})\big)\, V\, W_O

    Every step but the projections may be absent; the configuration says which are there. With none
    of them the middle is ``grouped_query_attention``; its two halves stand apart here, because what
    a configuration adds comes between them. The norms of queries and keys are modules, for Gemma's
    gain is another; with RMS norms they are ``normalise_heads`` and ``normalise_projections``.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), eq. 1; the groups: Ainslie et al. 2023
    (arXiv:2305.13245); for the other steps see the functions that compute them.
    """

    b_q: nn.Parameter | None
    b_k: nn.Parameter | None
    b_v: nn.Parameter | None
    b_o: nn.Parameter | None
    sinks: nn.Parameter | None
    norm_q: nn.Module
    norm_k: nn.Module

    def __init__(self, config: AttentionConfig, d_model: int) -> None:
        super().__init__()
        self.config = config
        wide = config.num_heads * config.head_dim
        narrow = config.num_kv_heads * config.head_dim
        self.w_q = nn.Parameter(torch.zeros(d_model, wide))
        self.w_k = nn.Parameter(torch.zeros(d_model, narrow))
        self.w_v = nn.Parameter(torch.zeros(d_model, narrow))
        self.w_o = nn.Parameter(torch.zeros(wide, d_model))
        sizes = {"b_q": wide, "b_k": narrow, "b_v": narrow, "b_o": d_model}
        for name, size in sizes.items():
            bias = nn.Parameter(torch.zeros(size)) if config.has_bias else None
            self.register_parameter(name, bias)
        sinks = nn.Parameter(torch.zeros(config.num_heads)) if config.has_sinks else None
        self.register_parameter("sinks", sinks)
        match config.qk_norm:
            case HeadQKNorm(norm=norm):
                query_size = key_size = config.head_dim
                self.norm_q, self.norm_k = (
                    norm_module(norm, query_size),
                    norm_module(norm, key_size),
                )
            case ProjectionQKNorm(norm=norm):
                self.norm_q, self.norm_k = norm_module(norm, wide), norm_module(norm, narrow)
        # Constants, not weights: computed where the numbers are, also when the weights are not.
        with torch.device("cpu"):
            self.rotation = None if config.rope is None else rope_frequencies(config.rope)
        self.scale = softmax_scale(config.head_dim, config.query_pre_attn_scalar)

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None
    ) -> Float[Tensor, "B T C"]:
        """Let each position read itself and what came before it, the cache included.

        Raises:
            ValueError: if the cache forgets what this layer can read, or does not fit x.
        """
        if cache is not None:
            self.require_cache(cache)
        start = 0 if cache is None else cache.length
        query, key, value = self.project(x, start)
        if cache is not None:
            key, value = cache.extend(key, value)
        output = grouped_mix(self.weights(query, key), value)
        return affine(merge_heads(output), self.w_o, self.b_o)

    def project(
        self, x: Float[Tensor, "B T C"], start: int
    ) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B G T D"], Float[Tensor, "B G T D"]]:
        """Make queries, keys and values; x begins at position ``start``."""
        config = self.config
        query, key = affine(x, self.w_q, self.b_q), affine(x, self.w_k, self.b_k)
        value = split_heads(affine(x, self.w_v, self.b_v), config.num_kv_heads)
        if isinstance(config.qk_norm, ProjectionQKNorm):
            query, key = self.norm_q(query), self.norm_k(key)
        query, key = split_heads(query, config.num_heads), split_heads(key, config.num_kv_heads)
        if isinstance(config.qk_norm, HeadQKNorm):
            query, key = self.norm_q(query), self.norm_k(key)
        if self.rotation is not None:
            inv_freq, concentration = self.rotation
            positions = torch.arange(start, start + x.shape[1], device=x.device)
            query = rotate(query, positions, inv_freq.to(x.device), concentration)
            key = rotate(key, positions, inv_freq.to(x.device), concentration)
        return query, key, value

    def weights(
        self, query: Float[Tensor, "B H T D"], key: Float[Tensor, "B G S D"]
    ) -> Float[Tensor, "B H T S"]:
        """Weigh the keys for the last T of S positions."""
        scores = self.scores(query, key)
        may_attend = self.may_attend(query.shape[-2], key.shape[-2], query.device)
        if self.sinks is None:
            return masked_softmax(scores, may_attend)
        return softmax_with_sink(mask_scores(scores, may_attend), self.sinks)

    def scores(
        self, query: Float[Tensor, "B H T D"], key: Float[Tensor, "B G S D"]
    ) -> Float[Tensor, "B H T S"]:
        """Compare queries and keys: scaled, and bounded where the configuration says so."""
        scores = grouped_scores(query, key) * self.scale
        return scores if self.config.soft_cap is None else soft_cap(scores, self.config.soft_cap)

    def may_attend(
        self, num_queries: int, num_keys: int, device: torch.device
    ) -> Bool[Tensor, "T S"]:
        """Say which of S keys the last T positions may read."""
        if self.config.window is None:
            return causal_mask(num_queries, num_keys, device=device)
        return window_mask(num_queries, num_keys, self.config.window, device=device)

    def new_cache(self) -> Cache:
        """Make an empty cache: one that forgets where the layer has a window."""
        return KVCache() if self.config.window is None else RollingKVCache(self.config.window)

    def require_cache(self, cache: Cache) -> None:
        """Refuse a cache that forgets what this layer can still read.

        Raises:
            ValueError: if it rolls and the layer has no window, or a wider one.
        """
        window = self.config.window
        if isinstance(cache, RollingKVCache) and (window is None or cache.window < window):
            reach = "all tokens (no window)" if window is None else f"window = {window} tokens"
            raise ValueError(
                "a rolling cache keeps at least what its layer can read; "
                f"the cache keeps window = {cache.window} tokens and the layer reads {reach}; "
                "new_cache makes one that fits"
            )
