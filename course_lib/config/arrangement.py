"""Where a block's norms stand, and whether its two halves stand one after the other."""

from dataclasses import dataclass

__all__ = ["Arrangement", "InnerNorm", "Parallel", "PostNorm", "PreNorm", "SandwichNorm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreNorm:
    """x + f(norm(x)): GPT-2, Llama."""


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
    """x + f(norm(x)) + g(norm(x)), one norm for both: Falcon 7B, GPT-J."""


Arrangement = PreNorm | PostNorm | InnerNorm | SandwichNorm | Parallel
