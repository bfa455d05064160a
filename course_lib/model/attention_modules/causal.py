"""Causal self-attention as a module: every decoder of the zoo is a configuration of it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.attention.grouped import grouped_mix, grouped_scores
from course_lib.attention.heads import merge_heads, split_heads
from course_lib.attention.score_steps import mask_scores, soft_cap
from course_lib.attention.unread import zero_unread
from course_lib.cache.growing import KVCache
from course_lib.cache.protocol import Cache
from course_lib.cache.rolling import RollingKVCache
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import (
    ByHeadDim,
    Chunk,
    Everything,
    GrowingScale,
    OutputGate,
    QueryPreAttnScalar,
    ScoreFactor,
    SoftCap,
    Softmax,
    Window,
)
from course_lib.config.norms import HeadQKNorm, NoQKNorm, ProjectionQKNorm
from course_lib.config.rope import NoRope, RopeConfig
from course_lib.layers.affine import affine
from course_lib.layers.gates import sigmoid_gate
from course_lib.model.attention_modules.interface import AttentionModule
from course_lib.model.norm_modules import norm_module
from course_lib.model.reading import Reading
from course_lib.model.rotary import Rotation
from course_lib.positions.rotation_table import rotate_by_table
from course_lib.scaling import growing_scale, softmax_scale
from course_lib.sizes import require_positive
from course_lib.softmax import masked_softmax, softmax_with_sink

__all__ = ["CausalAttention"]


class CausalAttention(AttentionModule):
    r"""Project, normalise, rotate, remember, score, cap, mask, weigh, mix, gate, project.

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
    sinks: nn.Parameter
    w_gate: nn.Parameter
    norm_q: nn.Module
    norm_k: nn.Module

    def __init__(self, config: CausalAttentionConfig, d_model: int) -> None:
        require_positive(d_model=d_model)
        super().__init__()
        self.config = config
        wide = config.num_heads * config.head_dim
        narrow = config.num_kv_heads * config.head_dim
        self.w_q = nn.Parameter(torch.zeros(d_model, wide))
        self.w_k = nn.Parameter(torch.zeros(d_model, narrow))
        self.w_v = nn.Parameter(torch.zeros(d_model, narrow))
        self.w_o = nn.Parameter(torch.zeros(wide, d_model))
        for letter, size in {"q": wide, "k": narrow, "v": narrow, "o": d_model}.items():
            has_bias = letter in config.biases.value
            bias = nn.Parameter(torch.zeros(size)) if has_bias else None
            self.register_parameter(f"b_{letter}", bias)
        if config.softmax is Softmax.WITH_SINKS:
            self.sinks = nn.Parameter(torch.zeros(config.num_heads))
        if config.output_gate is OutputGate.PER_ENTRY:
            self.w_gate = nn.Parameter(torch.zeros(d_model, wide))
        self.norm_q, self.norm_k = _norms(config)
        self.rotation = _rotation(config.rope)
        self.scale = _scale(config)

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None, reading: Reading | None = None
    ) -> Float[Tensor, "B T C"]:
        """Let each position read itself and what came before it, the cache included.

        Raises:
            ValueError: if the cache forgets what this layer can read, or does not fit x.
        """
        kept = None if cache is None else self.require_cache(cache)
        reading = Reading.of(x, cache, reading)
        query, key, value = self.project(x, reading)
        if kept is not None:
            key, value = kept.extend(key, value)
        may_attend = reading.may_attend(self.config.reach, key.shape[-2])
        key, value = zero_unread(query, key, value, may_attend)
        output = merge_heads(grouped_mix(self.weights(query, key, reading), value))
        if self.config.output_gate is OutputGate.PER_ENTRY:
            output = sigmoid_gate(output, affine(x, self.w_gate))
        return affine(output, self.w_o, self.b_o)

    def project(
        self, x: Float[Tensor, "B T C"], reading: Reading
    ) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B G T D"], Float[Tensor, "B G T D"]]:
        """Make queries, keys and values; the reading says where x stands."""
        config = self.config
        query, key = affine(x, self.w_q, self.b_q), affine(x, self.w_k, self.b_k)
        value = split_heads(affine(x, self.w_v, self.b_v), config.num_kv_heads)
        if isinstance(config.qk_norm, ProjectionQKNorm):
            query, key = self.norm_q(query), self.norm_k(key)
        query, key = split_heads(query, config.num_heads), split_heads(key, config.num_kv_heads)
        if isinstance(config.qk_norm, HeadQKNorm):
            query, key = self.norm_q(query), self.norm_k(key)
        if self.rotation is not None:
            table = reading.table(self.rotation)
            query, key = rotate_by_table(query, table), rotate_by_table(key, table)
        return query, key, value

    def weights(
        self, query: Float[Tensor, "B H T D"], key: Float[Tensor, "B G S D"], reading: Reading
    ) -> Float[Tensor, "B H T S"]:
        """Weigh the keys for the last T of S positions."""
        scores = self.scores(query, key, reading)
        may_attend = reading.may_attend(self.config.reach, key.shape[-2])
        match self.config.softmax:
            case Softmax.PLAIN:
                return masked_softmax(scores, may_attend)
            case Softmax.WITH_SINKS:
                return softmax_with_sink(mask_scores(scores, may_attend), self.sinks)

    def scores(
        self, query: Float[Tensor, "B H T D"], key: Float[Tensor, "B G S D"], reading: Reading
    ) -> Float[Tensor, "B H T S"]:
        """Compare queries and keys: scaled, then what the configuration adds."""
        scores = grouped_scores(query, key) * self.scale
        match self.config.scale:
            case GrowingScale(floor=floor, factor=factor):
                growth = growing_scale(reading.token_positions, floor, factor).to(scores.dtype)
                scores = scores * growth.reshape(-1, 1, len(reading.positions), 1)
        for step in self.config.score_steps:
            match step:
                case SoftCap(cap=cap):
                    scores = soft_cap(scores, cap)
        return scores

    def new_cache(self) -> KVCache | RollingKVCache:
        """Make an empty cache: one that forgets where the layer has a window."""
        match self.config.reach:
            case Everything():
                return KVCache()
            case Window(size=size) | Chunk(size=size):
                return RollingKVCache(size)

    def require_cache(self, cache: Cache) -> KVCache | RollingKVCache:
        """Refuse a cache that keeps no keys and values, or forgets what this layer can still read.

        Returns:
            The cache.

        Raises:
            ValueError: if it is of another kind; if it rolls and the layer has no window, or a
                wider one.
        """
        if not isinstance(cache, KVCache | RollingKVCache):
            raise ValueError(
                "this layer keeps keys and values, in a KVCache or a RollingKVCache; "
                f"a {type(cache).__name__} came; new_cache makes one that fits"
            )
        if isinstance(cache, KVCache):
            return cache
        match self.config.reach:
            case Everything():
                reads, fits = "all tokens (no window)", False
            case Window(size=size) | Chunk(size=size):
                reads, fits = f"window = {size} tokens", cache.window >= size
        if not fits:
            raise ValueError(
                "a rolling cache keeps at least what its layer can read; "
                f"the cache keeps window = {cache.window} tokens and the layer reads {reads}; "
                "new_cache makes one that fits"
            )
        return cache

    def residual_writers(self) -> tuple[nn.Parameter, ...]:
        """Give the matrix of the one write to the residual stream."""
        return (self.w_o,)


def _norms(config: CausalAttentionConfig) -> tuple[nn.Module, nn.Module]:
    """The norms of queries and of keys."""
    head = config.head_dim
    match config.qk_norm:
        case NoQKNorm():
            return nn.Identity(), nn.Identity()
        case HeadQKNorm(norm=norm):
            return norm_module(norm, head), norm_module(norm, head)
        case ProjectionQKNorm(norm=norm):
            wide, narrow = config.num_heads * head, config.num_kv_heads * head
            return norm_module(norm, wide), norm_module(norm, narrow)


def _rotation(rope: RopeConfig | NoRope) -> Rotation | None:
    match rope:
        case NoRope():
            return None
        case RopeConfig():
            return Rotation.of(rope)


def _scale(config: CausalAttentionConfig) -> float:
    match config.scale:
        case ByHeadDim() | GrowingScale():
            return softmax_scale(config.head_dim)
        case QueryPreAttnScalar(scalar=scalar):
            return softmax_scale(config.head_dim, scalar)
        case ScoreFactor(factor=factor):
            return factor
