"""Multi-head attention as a module, over the own sequence or another one, with any mask."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.attention.heads import merge_heads, split_heads

__all__ = ["MultiHeadAttention"]


class MultiHeadAttention(nn.Module):
    r"""H heads side by side, mixed by one more matrix.

    .. math:: \mathrm{MultiHead}(X, X') = \mathrm{concat}(O_1, \dots, O_H)\, W_O

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.2; the paper's formulas have no biases,
    BERT and ViT have them.
    """

    b_o: nn.Parameter | None

    def __init__(self, d_model: int, num_heads: int, head_dim: int, *, has_bias: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        wide = num_heads * head_dim
        for name in ("q", "k", "v"):
            self.register_parameter(f"w_{name}", nn.Parameter(torch.empty(d_model, wide)))
        self.w_o = nn.Parameter(torch.empty(wide, d_model))
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
        mixed: Tensor = merge_heads(output) @ self.w_o
        return mixed if self.b_o is None else mixed + self.b_o

    def heads(
        self,
        x: Float[Tensor, "B T C"],
        context: Float[Tensor, "B S C"] | None = None,
        may_attend: Bool[Tensor, "*#mask #T #S"] | None = None,
    ) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B H T S"]]:
        """Return what each head reads, before W_O, and its weights."""
        source = x if context is None else context
        query = self._project(x, "q")
        key, value = self._project(source, "k"), self._project(source, "v")
        return scaled_dot_product_attention(query, key, value, may_attend)

    def _project(self, x: Tensor, letter: str) -> Tensor:
        projected = x @ self.get_parameter(f"w_{letter}")
        bias = getattr(self, f"b_{letter}")
        return split_heads(projected if bias is None else projected + bias, self.num_heads)
