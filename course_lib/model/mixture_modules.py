"""The mixtures of experts as modules: they hold the matrices and call the functions."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.config.experts import (
    AffinityMixtureConfig,
    ClampedMixtureConfig,
    GatedMixtureConfig,
)
from course_lib.experts.affine_router import affine_topk_router
from course_lib.experts.clamped import ClampedExperts, clamped_moe_forward
from course_lib.experts.mixture import gated_moe_forward
from course_lib.experts.router import grouped_sigmoid_router, topk_router
from course_lib.layers.feed_forward import swiglu
from course_lib.sizes import require_positive

__all__ = ["AffinityMixture", "ClampedMixture", "GatedMixture"]


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


class AffinityMixture(nn.Module):
    """A router by affinities, E SwiGLU networks of which a token uses A, and shared ones."""

    b_router: Tensor
    w_shared_gate: nn.Parameter | None
    w_shared_up: nn.Parameter | None
    w_shared_down: nn.Parameter | None

    def __init__(self, config: AffinityMixtureConfig, d_model: int) -> None:
        require_positive(d_model=d_model)
        super().__init__()
        self.config = config
        num_experts, d_ff = config.num_experts, config.d_ff
        self.w_router = nn.Parameter(torch.zeros(d_model, num_experts))
        # It is set by the loads and not by a gradient: no parameter.
        self.register_buffer("b_router", torch.zeros(num_experts))
        self.w_gate = nn.Parameter(torch.zeros(num_experts, d_model, d_ff))
        self.w_up = nn.Parameter(torch.zeros(num_experts, d_model, d_ff))
        self.w_down = nn.Parameter(torch.zeros(num_experts, d_ff, d_model))
        # Shared experts side by side are one network, as released files have them.
        width = config.num_shared * d_ff
        for name, shape in (
            ("w_shared_gate", (d_model, width)),
            ("w_shared_up", (d_model, width)),
            ("w_shared_down", (width, d_model)),
        ):
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)) if width else None)

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        """Route each token, mix what its experts give, and add what the shared ones give."""
        config = self.config
        experts, weights = grouped_sigmoid_router(
            x,
            self.w_router,
            config.experts_per_token,
            self.b_router,
            config.num_groups,
            config.groups_kept,
        )
        weights = weights * config.weight_factor
        mixed = gated_moe_forward(x, experts, weights, self.w_gate, self.w_up, self.w_down)
        if self.w_shared_gate is None or self.w_shared_up is None or self.w_shared_down is None:
            return mixed
        return mixed + swiglu(x, self.w_shared_gate, self.w_shared_up, self.w_shared_down)

    def residual_writers(self) -> tuple[nn.Parameter, ...]:
        """Give the matrices of the one write to the residual stream."""
        return (self.w_down,) if self.w_shared_down is None else (self.w_down, self.w_shared_down)
