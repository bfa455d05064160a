"""The mixtures of experts as modules: they hold the matrices and call the functions."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.config.experts import ClampedMixtureConfig, GatedMixtureConfig
from course_lib.experts.affine_router import affine_topk_router
from course_lib.experts.clamped import ClampedExperts, clamped_moe_forward
from course_lib.experts.mixture import gated_moe_forward
from course_lib.experts.router import topk_router
from course_lib.sizes import require_positive

__all__ = ["ClampedMixture", "GatedMixture"]


class GatedMixture(nn.Module):
    """A router, and E SwiGLU networks of which a token uses A."""

    def __init__(self, config: GatedMixtureConfig, d_model: int) -> None:
        require_positive(d_model=d_model)
        super().__init__()
        self.experts_per_token = config.experts_per_token
        self.w_router = nn.Parameter(torch.zeros(d_model, config.num_experts))
        self.w_gate = nn.Parameter(torch.zeros(config.num_experts, d_model, config.d_ff))
        self.w_up = nn.Parameter(torch.zeros(config.num_experts, d_model, config.d_ff))
        self.w_down = nn.Parameter(torch.zeros(config.num_experts, config.d_ff, d_model))

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        """Route each token, and mix what its experts give."""
        experts, weights = topk_router(x, self.w_router, self.experts_per_token)
        return gated_moe_forward(x, experts, weights, self.w_gate, self.w_up, self.w_down)

    def residual_writers(self) -> tuple[nn.Parameter, ...]:
        """Give the matrices of the one write to the residual stream, in one tensor."""
        return (self.w_down,)


class ClampedMixture(nn.Module):
    """A router with a bias, and E networks with biases and a clamped gate (gpt-oss)."""

    def __init__(self, config: ClampedMixtureConfig, d_model: int) -> None:
        require_positive(d_model=d_model)
        super().__init__()
        self.experts_per_token = config.experts_per_token
        num_experts, d_ff = config.num_experts, config.d_ff
        self.w_router = nn.Parameter(torch.zeros(d_model, num_experts))
        self.b_router = nn.Parameter(torch.zeros(num_experts))
        self.w_gate_up = nn.Parameter(torch.zeros(num_experts, d_model, 2 * d_ff))
        self.b_gate_up = nn.Parameter(torch.zeros(num_experts, 2 * d_ff))
        self.w_down = nn.Parameter(torch.zeros(num_experts, d_ff, d_model))
        self.b_down = nn.Parameter(torch.zeros(num_experts, d_model))

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        """Route each token, and mix what its experts give."""
        experts, weights = affine_topk_router(
            x, self.w_router, self.b_router, self.experts_per_token
        )
        parameters = ClampedExperts(
            w_gate_up=self.w_gate_up,
            b_gate_up=self.b_gate_up,
            w_down=self.w_down,
            b_down=self.b_down,
        )
        return clamped_moe_forward(x, experts, weights, parameters)

    def residual_writers(self) -> tuple[nn.Parameter, ...]:
        """Give the matrices of the one write to the residual stream, in one tensor."""
        return (self.w_down,)
