"""The parts of which a layer's attention is put together, each a choice of its own."""

from dataclasses import dataclass
from enum import Enum

from course_lib.sizes import require_above_zero, require_positive

__all__ = [
    "Biases",
    "ByHeadDim",
    "Chunk",
    "Everything",
    "GrowingScale",
    "OutputGate",
    "QueryPreAttnScalar",
    "Reach",
    "Scale",
    "ScoreFactor",
    "ScoreStep",
    "SoftCap",
    "Softmax",
    "Window",
]


class Biases(Enum):
    """Which of the projections have a bias: the value holds their letters."""

    NONE = ""
    QUERY_KEY_VALUE = "qkv"
    ALL = "qkvo"


class Softmax(Enum):
    """Who takes the weight."""

    PLAIN = "the keys alone"
    WITH_SINKS = "the keys and one more score per head, which hands nothing over"


class OutputGate(Enum):
    """What passes of what the heads give, before the last projection."""

    NONE = "all of it"
    PER_ENTRY = "of each entry a part, by a gate that is made from the token (Qwen3-Next)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """A position reads itself and all before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A position reads the last keys only.

    Attributes:
        size: W, keys within reach, the query's own included.
    """

    size: int

    def __post_init__(self) -> None:
        require_positive(window=self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A position reads itself and what came before it in its own chunk (Llama 4).

    Attributes:
        size: tokens of a chunk; the first chunk begins with the first token.
    """

    size: int

    def __post_init__(self) -> None:
        require_positive(chunk=self.size)


Reach = Everything | Window | Chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHeadDim:
    """Scores are divided by the root of D."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPreAttnScalar:
    """Scores are divided by the root of another number than D (Gemma, whose name for it this is).

    Attributes:
        scalar: the number, above 0.
    """

    scalar: float

    def __post_init__(self) -> None:
        require_above_zero(
            "query_pre_attn_scalar",
            self.scalar,
            "scores are divided by the root of a number, which",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFactor:
    """Scores are multiplied by a number of the model's own (Granite's attention_multiplier).

    Attributes:
        factor: the number, above 0.
    """

    factor: float

    def __post_init__(self) -> None:
        require_above_zero("score_factor", self.factor, "a factor on the scores")


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowingScale:
    """Scores are divided by the root of D, and grow with the query's position (Llama 4, NoPE).

    Attributes:
        floor: tokens in which they do not grow.
        factor: how fast they grow, above 0; see ``growing_scale``.
    """

    floor: int
    factor: float

    def __post_init__(self) -> None:
        require_positive(floor=self.floor)
        require_above_zero("growth_factor", self.factor, "what makes scores grow")


Scale = ByHeadDim | QueryPreAttnScalar | ScoreFactor | GrowingScale


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftCap:
    """Scores, or logits, are bounded: cap · tanh(z / cap).

    Attributes:
        cap: the bound, above 0.
    """

    cap: float

    def __post_init__(self) -> None:
        require_above_zero("soft_cap", self.cap, "a bound on scores or logits")


#: What may happen to scores between the scale and the mask, one after another.
ScoreStep = SoftCap
