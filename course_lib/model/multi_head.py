"""Multi-head attention as a module, over the own sequence or another one, with any mask."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.attention.heads import merge_heads, split_heads
from course_lib.layers.affine import affine
from course_lib.sizes import require_positive

__all__ = ["MultiHeadAttention"]


class MultiHeadAttention(nn.Module):
    r"""H heads side by side, mixed by one more matrix.

    .. math:: \mathrm{MultiHead}(X, X') = \mathrm{concat}(O_0, \ldots, O_{H-1})\, W_O

    Without biases it is ``multi_head_attention``, and over a context ``cross_attention``. It calls
    what those call, since BERT and ViT have biases and the trained heads ask for the weights.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.2; the paper's formulas have no biases.
    """

    b_q: nn.Parameter | None
    b_k: nn.Parameter | None
    b_v: nn.Parameter | None
    b_o: nn.Parameter | None

    def __init__(self, d_model: int, num_heads: int, head_dim: int, *, has_bias: bool) -> None:
        require_positive(d_model=d_model, num_heads=num_heads, head_dim=head_dim)
        super().__init__()
        self.num_heads = num_heads
        wide = num_heads * head_dim
        self.w_q = nn.Parameter(torch.zeros(d_model, wide))
        self.w_k = nn.Parameter(torch.zeros(d_model, wide))
        self.w_v = nn.Parameter(torch.zeros(d_model, wide))
        self.w_o = nn.Parameter(torch.zeros(wide, d_model))
        for name, size in (("b_q", wide), ("b_k", wide), ("b_v", wide), ("b_o", d_model)):
            bias = nn.Parameter(torch.zeros(size)) if has_bias else None
            self.register_parameter(name, bias)

    def forward(
        self,
        x: Float[Tensor, "B T C"],
        context: Float[Tensor, "B S C"] | None = None,
        may_attend: Bool[Tensor, "*#mask #T #S"] | None = None,
    ) -> Float[Tensor, "B T C"]:
        """Let each position of x read the context, or x itself where there is none."""
        output, _ = self.heads(x, context, may_attend)
        return affine(merge_heads(output), self.w_o, self.b_o)

    def heads(
        self,
        x: Float[Tensor, "B T C"],
        context: Float[Tensor, "B S C"] | None = None,
        may_attend: Bool[Tensor, "*#mask #T #S"] | None = None,
    ) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B H T S"]]:
        """Return what each head reads, before W_O, and its weights."""
        source = x if context is None else context
        query = split_heads(affine(x, self.w_q, self.b_q), self.num_heads)
        key = split_heads(affine(source, self.w_k, self.b_k), self.num_heads)
        value = split_heads(affine(source, self.w_v, self.b_v), self.num_heads)
        return scaled_dot_product_attention(query, key, value, may_attend)

    def residual_writers(self) -> tuple[nn.Parameter, ...]:
        """Give the matrix of the one write to the residual stream."""
        return (self.w_o,)
