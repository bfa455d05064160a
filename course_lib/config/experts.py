"""The sizes of a layer's mixture of experts."""

from dataclasses import dataclass

from course_lib.sizes import require_positive

__all__ = ["ClampedMixtureConfig", "GatedMixtureConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedMixtureConfig:
    """E SwiGLU networks without biases; a token uses the A that ``topk_router`` chooses (Mixtral).

    Attributes:
        num_experts: E, how many there are.
        experts_per_token: A, at most E.
        d_ff: F, the width inside each.
    """

    num_experts: int
    experts_per_token: int
    d_ff: int

    def __post_init__(self) -> None:
        _require_mixture(self.num_experts, self.experts_per_token, self.d_ff)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClampedMixtureConfig:
    """E networks with biases and a clamped gate; the router has a bias, too (gpt-oss).

    Attributes:
        num_experts: E, how many there are.
        experts_per_token: A, at most E.
        d_ff: F, the width inside each.
    """

    num_experts: int
    experts_per_token: int
    d_ff: int

    def __post_init__(self) -> None:
        _require_mixture(self.num_experts, self.experts_per_token, self.d_ff)


def _require_mixture(num_experts: int, experts_per_token: int, d_ff: int) -> None:
    require_positive(num_experts=num_experts, experts_per_token=experts_per_token, d_ff=d_ff)
    if experts_per_token > num_experts:
        raise ValueError(
            "a token uses A different experts of E, so A <= E; "
            f"experts_per_token is {experts_per_token} and num_experts {num_experts}"
        )
