"""The sizes and choices of one layer's feed-forward network."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from course_lib.config.experts import MixtureConfig
from course_lib.sizes import require_positive

__all__ = ["Activation", "FeedForwardConfig", "GatedFeedForwardConfig", "PlainFeedForwardConfig"]


Activation = Callable[[Float[Tensor, "*shape"]], Float[Tensor, "*shape"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainFeedForwardConfig:
    """Two matrices with an activation between them.

    Attributes:
        d_ff: F, the width inside.
        activation: what stands between.
        has_bias: True where both matrices have biases.
    """

    d_ff: int
    activation: Activation
    has_bias: bool

    def __post_init__(self) -> None:
        require_positive(d_ff=self.d_ff)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedFeedForwardConfig:
    """Three matrices: the gate, through its activation, multiplies what goes up.

    Attributes:
        d_ff: F, the width inside.
        activation: the gate's; with SiLU this is SwiGLU.
    """

    d_ff: int
    activation: Activation

    def __post_init__(self) -> None:
        require_positive(d_ff=self.d_ff)


FeedForwardConfig = PlainFeedForwardConfig | GatedFeedForwardConfig | MixtureConfig
