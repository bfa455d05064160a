"""Multi-head latent attention as a module: it keeps one small vector a token, not H keys."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.attention.heads import merge_heads
from course_lib.attention.latent import (
    compress,
    latent_attention,
    latent_attention_absorbed,
    latent_keys,
    latent_queries,
)
from course_lib.attention.latent_parameters import LatentParameters
from course_lib.cache.latent import LatentCache
from course_lib.cache.protocol import Cache
from course_lib.config.attention_parts import Everything
from course_lib.config.latent import LatentAttentionConfig
from course_lib.layers.affine import affine
from course_lib.model.attention_modules.interface import AttentionModule
from course_lib.model.reading import Reading
from course_lib.model.rotary import Rotation
from course_lib.sizes import require_positive

__all__ = ["LatentAttention"]


class LatentAttention(AttentionModule):
    r"""Causal self-attention whose keys and values are made from one latent vector a token.

    .. math::
        c_t &= \mathrm{RMSNorm}(x_t W^{DKV}) \\
        Z_h &= \frac{Q_h (c\, W^{UK}_h)^\top + Q^R_h K^{R\top}}{\sqrt{D + D_r}} \\
        O_h &= \mathrm{softmax}(Z_h)\, c\, W^{UV}_h \\
        Y &= \mathrm{concat}_h(O_h)\, W^O

    Queries are made from x itself, as in DeepSeek-V2-Lite, or from a latent vector of their own,
    RMSNorm(x W^DQ), as in DeepSeek-V2 and V3. The matrices are zeros until they are drawn or
    loaded.

    Source: DeepSeek-V2 (arXiv:2405.04434), sec. 2.1; without YaRN.
    """

    w_dq: nn.Parameter | None
    g_q: nn.Parameter | None

    def __init__(self, config: LatentAttentionConfig, d_model: int) -> None:
        require_positive(d_model=d_model)
        super().__init__()
        self.config = config
        heads, latent, rotary = config.num_heads, config.latent_dim, config.rope.rotary_dim
        width = config.query_latent_dim
        self.w_dq = None if width is None else nn.Parameter(torch.zeros(d_model, width))
        self.g_q = None if width is None else nn.Parameter(torch.ones(width))
        read = d_model if width is None else width
        self.w_q = nn.Parameter(torch.zeros(read, heads * config.head_dim))
        self.w_qr = nn.Parameter(torch.zeros(read, heads * rotary))
        self.w_dkv = nn.Parameter(torch.zeros(d_model, latent))
        self.w_kr = nn.Parameter(torch.zeros(d_model, rotary))
        self.w_uk = nn.Parameter(torch.zeros(latent, heads * config.head_dim))
        self.w_uv = nn.Parameter(torch.zeros(latent, heads * config.value_dim))
        self.w_o = nn.Parameter(torch.zeros(heads * config.value_dim, d_model))
        self.g_kv = nn.Parameter(torch.ones(latent))
        self.rotation = Rotation.of(config.rope)

    @property
    def latent_parameters(self) -> LatentParameters:
        """What makes keys and values."""
        return LatentParameters(
            w_dkv=self.w_dkv, g_kv=self.g_kv, w_kr=self.w_kr, w_uk=self.w_uk, w_uv=self.w_uv
        )

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None, reading: Reading | None = None
    ) -> Float[Tensor, "B T C"]:
        """Let each position read itself and what came before it, the cache included.

        A prefill makes the keys and values of all heads (``latent_attention``), as is cheaper where
        many queries share them; where tokens came before, they are never made
        (``latent_attention_absorbed``).

        Raises:
            ValueError: if x does not fit the matrices or the cache.
        """
        earlier = None if cache is None else self.require_cache(cache)
        reading = Reading.of(x, cache, reading)
        config, parameters = self.config, self.latent_parameters
        table = reading.table(self.rotation)
        asking = x
        if self.w_dq is not None and self.g_q is not None:
            asking = compress(x, self.w_dq, self.g_q, config.norm.eps)
        queries = latent_queries(asking, self.w_q, self.w_qr, config.num_heads, table)
        kept = latent_keys(x, parameters, table, config.norm.eps)
        if earlier is not None:
            kept = earlier.extend(*kept)
        may_attend = reading.may_attend(Everything(), kept[0].shape[1])
        attend = latent_attention if reading.start == 0 else latent_attention_absorbed
        output = attend(*queries, *kept, parameters, may_attend)
        return affine(merge_heads(output), self.w_o)

    def new_cache(self) -> LatentCache:
        """Make an empty cache: Dc + Dr numbers a token."""
        return LatentCache()

    def require_cache(self, cache: Cache) -> LatentCache:
        """Refuse a cache that keeps no latent vectors.

        Returns:
            The cache.

        Raises:
            ValueError: if it is of another kind.
        """
        if not isinstance(cache, LatentCache):
            raise ValueError(
                "this layer keeps latent vectors and rotary keys, in a LatentCache; "
                f"a {type(cache).__name__} came; new_cache makes one that fits"
            )
        return cache

    def residual_writers(self) -> tuple[nn.Parameter, ...]:
        """Give the matrix of the one write to the residual stream."""
        return (self.w_o,)
