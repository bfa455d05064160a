"""Which norm a layer has, and how queries and keys are normalised."""

from dataclasses import dataclass

from course_lib.sizes import require_eps

__all__ = [
    "HeadQKNorm",
    "LayerNormConfig",
    "LayerNormWithoutShiftConfig",
    "NoQKNorm",
    "NormConfig",
    "ProjectionQKNorm",
    "QKNormConfig",
    "RMSNormConfig",
    "RMSNormWithoutGainConfig",
    "UnitOffsetRMSNormConfig",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNormConfig:
    """Subtract the mean, divide by the standard deviation, scale and shift.

    Attributes:
        eps: added to the variance, at least 0.
    """

    eps: float = 1e-5

    def __post_init__(self) -> None:
        require_eps(self.eps)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNormWithoutShiftConfig:
    """Subtract the mean, divide by the standard deviation, scale (Cohere, MPT).

    Attributes:
        eps: added to the variance, at least 0.
    """

    eps: float = 1e-5

    def __post_init__(self) -> None:
        require_eps(self.eps)


@dataclass(frozen=True, slots=True, kw_only=True)
class RMSNormConfig:
    """Divide by the root of the mean square, times a gain that starts at 1.

    Attributes:
        eps: added to the mean square, at least 0.
    """

    eps: float

    def __post_init__(self) -> None:
        require_eps(self.eps)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitOffsetRMSNormConfig:
    """Divide by the root of the mean square, times one plus a gain that starts at 0 (Gemma).

    Attributes:
        eps: added to the mean square, at least 0.
    """

    eps: float = 1e-6

    def __post_init__(self) -> None:
        require_eps(self.eps)


@dataclass(frozen=True, slots=True, kw_only=True)
class RMSNormWithoutGainConfig:
    """Divide by the root of the mean square; nothing is learnt (Llama 4's queries and keys).

    Attributes:
        eps: added to the mean square, at least 0.
    """

    eps: float

    def __post_init__(self) -> None:
        require_eps(self.eps)


NormConfig = (
    LayerNormConfig
    | LayerNormWithoutShiftConfig
    | RMSNormConfig
    | UnitOffsetRMSNormConfig
    | RMSNormWithoutGainConfig
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoQKNorm:
    """Queries and keys are taken as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadQKNorm:
    """Queries and keys are normalised head by head, with one gain of D entries for all heads.

    Attributes:
        norm: which norm.
    """

    norm: NormConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionQKNorm:
    """The whole projection is normalised, all heads at once, before it is split.

    Attributes:
        norm: which norm.
    """

    norm: NormConfig


QKNormConfig = NoQKNorm | HeadQKNorm | ProjectionQKNorm
