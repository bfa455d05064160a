"""The mixtures of experts as modules: they hold the matrices and call the functions."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.config.experts import (
    AffinityMixtureConfig,
    ClampedMixtureConfig,
    GatedMixtureConfig,
    GatedSharedMixtureConfig,
    GroupedMixtureSizes,
    InputWeightedMixtureConfig,
    ShareMixtureConfig,
)
from course_lib.experts.affine_router import affine_topk_router
from course_lib.experts.clamped import ClampedExperts, clamped_moe_forward
from course_lib.experts.input_weighted import each_its_gate, input_weighted_moe_forward
from course_lib.experts.mixture import gated_moe_forward
from course_lib.experts.router import grouped_sigmoid_router, topk_router
from course_lib.experts.softmax_router import grouped_softmax_router
from course_lib.layers.affine import affine
from course_lib.layers.feed_forward import swiglu
from course_lib.layers.gates import sigmoid_gate
from course_lib.sizes import require_positive

__all__ = [
    "AffinityMixture",
    "ClampedMixture",
    "GatedMixture",
    "GatedSharedMixture",
    "InputWeightedMixture",
    "ShareMixture",
]


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


class WithShared(nn.Module):
    """What mixtures have in common that have experts for every token besides."""

    w_down: nn.Parameter
    w_shared_gate: nn.Parameter | None
    w_shared_up: nn.Parameter | None
    w_shared_down: nn.Parameter | None

    def make_shared(self, d_model: int, width: int) -> None:
        """Make the shared experts side by side, one network, as released files have them."""
        for name, shape in (
            ("w_shared_gate", (d_model, width)),
            ("w_shared_up", (d_model, width)),
            ("w_shared_down", (width, d_model)),
        ):
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)) if width else None)

    def add_shared(
        self, mixed: Float[Tensor, "B T C"], x: Float[Tensor, "B T C"]
    ) -> Float[Tensor, "B T C"]:
        """Add what the shared experts give, where there are any."""
        given = self.shared(x)
        return mixed if given is None else mixed + given

    def shared(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"] | None:
        """Give what the shared experts give; None where there are none."""
        if self.w_shared_gate is None or self.w_shared_up is None or self.w_shared_down is None:
            return None
        return swiglu(x, self.w_shared_gate, self.w_shared_up, self.w_shared_down)

    def residual_writers(self) -> tuple[nn.Parameter, ...]:
        """Give the matrices of the one write to the residual stream."""
        return (self.w_down,) if self.w_shared_down is None else (self.w_down, self.w_shared_down)


class GatedSharedMixture(WithShared):
    """A router, E SwiGLU networks of which a token uses A, and shared ones behind a gate."""

    def __init__(self, config: GatedSharedMixtureConfig, d_model: int) -> None:
        require_positive(d_model=d_model)
        super().__init__()
        self.experts_per_token = config.experts_per_token
        num_experts, d_ff = config.num_experts, config.d_ff
        self.w_router = nn.Parameter(torch.zeros(d_model, num_experts))
        self.w_gate = nn.Parameter(torch.zeros(num_experts, d_model, d_ff))
        self.w_up = nn.Parameter(torch.zeros(num_experts, d_model, d_ff))
        self.w_down = nn.Parameter(torch.zeros(num_experts, d_ff, d_model))
        self.make_shared(d_model, config.num_shared * d_ff)
        self.w_open = nn.Parameter(torch.zeros(d_model, 1))

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        """Route each token, mix what its experts give, and let in a part of the shared ones'."""
        experts, weights = topk_router(x, self.w_router, self.experts_per_token)
        mixed = gated_moe_forward(x, experts, weights, self.w_gate, self.w_up, self.w_down)
        return self.add_shared(mixed, x)

    def shared(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"] | None:
        """Give the part of what the shared experts give that the token's gate lets through."""
        given = super().shared(x)
        return None if given is None else sigmoid_gate(given, affine(x, self.w_open))


class GroupedMixture(WithShared):
    """A router among groups, E SwiGLU networks of which a token uses A, and shared ones."""

    def __init__(self, config: GroupedMixtureSizes, d_model: int) -> None:
        require_positive(d_model=d_model)
        super().__init__()
        self.config = config
        num_experts, d_ff = config.num_experts, config.d_ff
        self.w_router = nn.Parameter(torch.zeros(d_model, num_experts))
        self.w_gate = nn.Parameter(torch.zeros(num_experts, d_model, d_ff))
        self.w_up = nn.Parameter(torch.zeros(num_experts, d_model, d_ff))
        self.w_down = nn.Parameter(torch.zeros(num_experts, d_ff, d_model))
        self.make_shared(d_model, config.num_shared * d_ff)

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        """Route each token, mix what its experts give, and add what the shared ones give."""
        experts, weights = self.route(x)
        weights = weights * self.config.weight_factor
        mixed = gated_moe_forward(x, experts, weights, self.w_gate, self.w_up, self.w_down)
        return self.add_shared(mixed, x)

    def route(
        self, x: Float[Tensor, "B T C"]
    ) -> tuple[Int[Tensor, "B T A"], Float[Tensor, "B T A"]]:
        """Choose each token's experts, and say how much of each."""
        raise NotImplementedError("a mixture in groups is one of the classes that route")


class AffinityMixture(GroupedMixture):
    """The router goes by affinities, and by a bias (DeepSeek-V3)."""

    b_router: Tensor

    def __init__(self, config: AffinityMixtureConfig, d_model: int) -> None:
        super().__init__(config, d_model)
        # It is set by the loads and not by a gradient: no parameter.
        self.register_buffer("b_router", torch.zeros(config.num_experts))

    def route(
        self, x: Float[Tensor, "B T C"]
    ) -> tuple[Int[Tensor, "B T A"], Float[Tensor, "B T A"]]:
        """Choose by affinity and bias; the weights of a token sum to one."""
        config = self.config
        return grouped_sigmoid_router(
            x,
            self.w_router,
            config.experts_per_token,
            self.b_router,
            config.num_groups,
            config.groups_kept,
        )


class ShareMixture(GroupedMixture):
    """The router goes by the shares of one softmax (DeepSeek-V2)."""

    def __init__(self, config: ShareMixtureConfig, d_model: int) -> None:
        super().__init__(config, d_model)

    def route(
        self, x: Float[Tensor, "B T C"]
    ) -> tuple[Int[Tensor, "B T A"], Float[Tensor, "B T A"]]:
        """Choose by share; the weights of a token sum to less than one."""
        config = self.config
        return grouped_softmax_router(
            x, self.w_router, config.experts_per_token, config.num_groups, config.groups_kept
        )


class InputWeightedMixture(WithShared):
    """A router whose weights are on what E SwiGLU networks read, and shared ones (Llama 4)."""

    def __init__(self, config: InputWeightedMixtureConfig, d_model: int) -> None:
        require_positive(d_model=d_model)
        super().__init__()
        self.experts_per_token = config.experts_per_token
        num_experts, d_ff = config.num_experts, config.d_ff
        self.w_router = nn.Parameter(torch.zeros(d_model, num_experts))
        self.w_gate = nn.Parameter(torch.zeros(num_experts, d_model, d_ff))
        self.w_up = nn.Parameter(torch.zeros(num_experts, d_model, d_ff))
        self.w_down = nn.Parameter(torch.zeros(num_experts, d_ff, d_model))
        self.make_shared(d_model, config.num_shared * d_ff)

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        """Route each token, add what its experts give, and what the shared ones give."""
        experts, weights = each_its_gate(x, self.w_router, self.experts_per_token)
        given = input_weighted_moe_forward(x, experts, weights, self.w_gate, self.w_up, self.w_down)
        return self.add_shared(given, x)
