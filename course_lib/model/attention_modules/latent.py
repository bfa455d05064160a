"""Multi-head latent attention as a module: it keeps one small vector a token, not H keys."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.attention.heads import merge_heads
from course_lib.attention.latent import (
    LatentParameters,
    latent_attention,
    latent_attention_absorbed,
    latent_keys,
    latent_queries,
)
from course_lib.cache.latent import LatentCache
from course_lib.cache.protocol import Cache
from course_lib.config.latent import LatentAttentionConfig
from course_lib.layers.affine import affine
from course_lib.masks import causal_mask
from course_lib.model.attention_modules.interface import AttentionModule
from course_lib.model.rotary import rope_frequencies

__all__ = ["LatentAttention"]


class LatentAttention(AttentionModule):
    r"""Causal self-attention whose keys and values are made from one latent vector a token.

    .. math::
        c_t &= \mathrm{RMSNorm}(x_t W^{DKV}) \\
        Z_h &= \frac{Q_h (c\, W^{UK}_h)^\top + Q^R_h K^{R\top}}{\sqrt{D + D_r}} \\
        O_h &= \mathrm{softmax}(Z_h)\, c\, W^{UV}_h \\
        Y &= \mathrm{concat}_h(O_h)\, W^O

    Queries are made from x itself, as in DeepSeek-V2-Lite. The matrices are zeros until they are
    drawn or loaded.

    Source: DeepSeek-V2 (arXiv:2405.04434), sec. 2.1; without YaRN.
    """

    def __init__(self, config: LatentAttentionConfig, d_model: int) -> None:
        super().__init__()
        self.config = config
        heads = config.num_heads
        shapes = {
            "w_q": (d_model, heads * config.head_dim),
            "w_qr": (d_model, heads * config.rope.rotary_dim),
            "w_dkv": (d_model, config.latent_dim),
            "w_kr": (d_model, config.rope.rotary_dim),
            "w_uk": (config.latent_dim, heads * config.head_dim),
            "w_uv": (config.latent_dim, heads * config.value_dim),
            "w_o": (heads * config.value_dim, d_model),
        }
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))
        self.g_kv = nn.Parameter(torch.ones(config.latent_dim))
        # Constants, not weights: computed where the numbers are, also when the weights are not.
        with torch.device("cpu"):
            self.inv_freq, _ = rope_frequencies(config.rope)

    @property
    def latent_parameters(self) -> LatentParameters:
        """What makes keys and values."""
        names = ("w_dkv", "g_kv", "w_kr", "w_uk", "w_uv")
        return LatentParameters(**{name: self.get_parameter(name) for name in names})

    def forward(
        self, x: Float[Tensor, "B T C"], cache: Cache | None = None
    ) -> Float[Tensor, "B T C"]:
        """Let each position read itself and what came before it, the cache included.

        A prefill makes the keys and values of all heads (``latent_attention``), as is cheaper where
        many queries share them; where tokens came before, they are never made
        (``latent_attention_absorbed``).

        Raises:
            ValueError: if x does not fit the matrices or the cache.
        """
        config, parameters = self.config, self.latent_parameters
        start = 0 if cache is None else cache.length
        earlier = None if cache is None else self.require_cache(cache)
        positions = torch.arange(start, start + x.shape[1], device=x.device)
        inv_freq = self.inv_freq.to(x.device)
        w_q, w_qr = self.get_parameter("w_q"), self.get_parameter("w_qr")
        queries = latent_queries(x, w_q, w_qr, config.num_heads, positions, inv_freq)
        kept = latent_keys(x, parameters, positions, inv_freq, config.norm.eps)
        if earlier is not None:
            kept = earlier.extend(*kept)
        may_attend = causal_mask(x.shape[1], kept[0].shape[1], device=x.device)
        attend = latent_attention if start == 0 else latent_attention_absorbed
        output = attend(*queries, *kept, parameters, may_attend)
        return affine(merge_heads(output), self.get_parameter("w_o"))

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
