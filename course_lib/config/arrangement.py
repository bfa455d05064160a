"""Where a block's norms stand, and whether its two halves stand one after the other."""

from dataclasses import dataclass

from course_lib.sizes import require_above_zero

__all__ = [
    "Arrangement",
    "InnerNorm",
    "Parallel",
    "ParallelTwoNorms",
    "PostNorm",
    "PreNorm",
    "SandwichNorm",
    "ScaledPreNorm",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreNorm:
    """x + f(norm(x)): GPT-2, Llama."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledPreNorm:
    """x + factor · f(norm(x)): Granite.

    Attributes:
        factor: what both halves are multiplied by before they are added, above 0.
    """

    factor: float

    def __post_init__(self) -> None:
        require_above_zero("residual_factor", self.factor, "a factor on what a block adds")


@dataclass(frozen=True, slots=True, kw_only=True)
class PostNorm:
    """norm(x + f(x)): Vaswani's Transformer, GPT-1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerNorm:
    """x + norm(f(x)): OLMo 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandwichNorm:
    """x + norm(f(norm(x))): Gemma 2 and 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """x + f(norm(x)) + g(norm(x)), one norm for both: Falcon 7B, GPT-J, Cohere, Phi."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelTwoNorms:
    """x + f(norm(x)) + g(norm(x)), a norm for each half: GPT-NeoX, Falcon 40B."""


Arrangement = (
    PreNorm | ScaledPreNorm | PostNorm | InnerNorm | SandwichNorm | Parallel | ParallelTwoNorms
)
