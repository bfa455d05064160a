"""The sizes of a layer's mixture of experts."""

from dataclasses import dataclass

from course_lib.sizes import require_count, require_factor, require_positive

__all__ = [
    "AffinityMixtureConfig",
    "ClampedMixtureConfig",
    "GatedMixtureConfig",
    "GatedSharedMixtureConfig",
    "GroupedMixtureSizes",
    "InputWeightedMixtureConfig",
    "MixtureConfig",
    "MixtureSizes",
    "ShareMixtureConfig",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureSizes:
    """What every mixture has: E networks, of which a token uses A.

    Attributes:
        num_experts: E, how many there are to choose from.
        experts_per_token: A, at most E.
        d_ff: F, the width inside each.
    """

    num_experts: int
    experts_per_token: int
    d_ff: int

    def __post_init__(self) -> None:
        require_positive(
            num_experts=self.num_experts,
            experts_per_token=self.experts_per_token,
            d_ff=self.d_ff,
        )
        if self.experts_per_token > self.num_experts:
            raise ValueError(
                "a token uses A different experts of E, so A <= E; "
                f"experts_per_token is {self.experts_per_token} and num_experts {self.num_experts}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedMixtureConfig(MixtureSizes):
    """SwiGLU networks without biases, chosen by ``topk_router`` (Mixtral, Qwen3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClampedMixtureConfig(MixtureSizes):
    """Networks with biases and a clamped gate; the router has a bias, too (gpt-oss)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedMixtureSizes(MixtureSizes):
    """What mixtures of small experts have besides: some in groups, some that every token uses.

    Attributes:
        num_shared: experts that every token uses besides; 0 for none.
        weight_factor: what the weights are multiplied by.
        num_groups: groups of neighbouring experts; divides E.
        groups_kept: groups that a token may use.
    """

    num_shared: int = 0
    weight_factor: float = 1.0
    num_groups: int = 1
    groups_kept: int = 1

    def __post_init__(self) -> None:
        MixtureSizes.__post_init__(self)
        require_count(num_shared=self.num_shared)
        require_factor(self.weight_factor)
        require_positive(num_groups=self.num_groups, groups_kept=self.groups_kept)
        within = self.groups_kept * (self.num_experts // self.num_groups)
        if self.num_experts % self.num_groups or self.groups_kept > self.num_groups:
            raise ValueError(
                "all groups have the same number of experts, and some of them are kept; "
                f"num_experts is {self.num_experts}, num_groups {self.num_groups} and groups_kept "
                f"{self.groups_kept}"
            )
        if within < self.experts_per_token:
            raise ValueError(
                "the groups that are kept hold at least the experts of a token; they hold "
                f"{within}, and experts_per_token is {self.experts_per_token}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AffinityMixtureConfig(GroupedMixtureSizes):
    """SwiGLU networks chosen by affinities of their own, which are divided by their sum.

    ``grouped_sigmoid_router`` chooses, by a bias that balances the loads and is no parameter
    (DeepSeek-V3, Kimi K2, GLM-4.5, MiniMax-M2).
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareMixtureConfig(GroupedMixtureSizes):
    """SwiGLU networks weighted by their shares of a softmax over all of them (DeepSeek-V2).

    ``grouped_softmax_router`` chooses.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class InputWeightedMixtureConfig(MixtureSizes):
    """SwiGLU networks weighted in what they read, and some that every token uses (Llama 4).

    Attributes:
        num_shared: experts that every token uses besides; 0 for none.
    """

    num_shared: int = 0

    def __post_init__(self) -> None:
        MixtureSizes.__post_init__(self)
        require_count(num_shared=self.num_shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedSharedMixtureConfig(MixtureSizes):
    """SwiGLU networks chosen by ``topk_router``, and shared ones behind a gate (Qwen3-Next).

    The gate is one number of each token, for all that the shared experts give.

    Attributes:
        num_shared: experts that every token uses besides, at least 1.
    """

    num_shared: int = 1

    def __post_init__(self) -> None:
        MixtureSizes.__post_init__(self)
        require_positive(num_shared=self.num_shared)


MixtureConfig = (
    GatedMixtureConfig
    | GatedSharedMixtureConfig
    | ClampedMixtureConfig
    | AffinityMixtureConfig
    | ShareMixtureConfig
    | InputWeightedMixtureConfig
)
