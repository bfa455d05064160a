"""The sizes of a layer that keeps a state: a gated delta rule behind a short convolution."""

from dataclasses import dataclass

from course_lib.config.norms import RMSNormConfig
from course_lib.sizes import require_positive

__all__ = ["GatedDeltaRuleConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedDeltaRuleConfig:
    """A layer whose heads keep a state of D times Dv numbers instead of keys and values.

    Attributes:
        num_heads: H, heads with a state and a value per token each.
        num_key_heads: G, heads with a query and a key per token; G divides H, and H / G states
            share one.
        head_dim: D, entries of a query and of a key.
        value_dim: Dv, entries of a value.
        window: W, tokens that the short convolution reads, the own one included.
        norm: of what each head gives, before its gate.
    """

    num_heads: int
    num_key_heads: int
    head_dim: int
    value_dim: int
    window: int
    norm: RMSNormConfig

    def __post_init__(self) -> None:
        require_positive(
            num_heads=self.num_heads,
            num_key_heads=self.num_key_heads,
            head_dim=self.head_dim,
            value_dim=self.value_dim,
            window=self.window,
        )
        if self.num_heads % self.num_key_heads:
            raise ValueError(
                "every query and key serves the same number of states, so num_key_heads divides "
                f"num_heads; num_heads is {self.num_heads} and num_key_heads {self.num_key_heads}"
            )

    @property
    def num_shared(self) -> int:
        """How many states share one query and one key."""
        return self.num_heads // self.num_key_heads

    @property
    def convolved(self) -> tuple[int, int, int]:
        """Entries of all queries, all keys and all values of a token: what is convolved."""
        keys = self.num_key_heads * self.head_dim
        return keys, keys, self.num_heads * self.value_dim
