"""A reading of sequences that are there to their end: a position reads what comes after it, too."""

import torch
from jaxtyping import Bool
from torch import Tensor

from course_lib.config.attention_parts import Chunk, Everything, Reach, Window
from course_lib.masks import distances
from course_lib.model.reading import Reading

__all__ = ["BothWaysReading"]


class BothWaysReading(Reading):
    r"""T tokens that nothing comes before and nothing after; a window reaches to both sides.

    .. math:: M_{ts} = [\, |t - s| < W \,] \land \text{token}_s

    W counts the query's own key, as in a causal window: it reads 2 W - 1 keys.

    Source: the masks of transformers' OpenAIPrivacyFilterModel, whose sliding_window is W - 1.
    """

    def __init__(
        self, num_tokens: int, is_token: Bool[Tensor, "B 1 1 S"] | None, device: torch.device
    ) -> None:
        """Say how many tokens there are.

        Args:
            num_tokens: T of them, and as many keys.
            is_token: False where a key is padding, which nobody reads; None where nothing is.
            device: where the layers compute.

        Raises:
            ValueError: if the number is negative, or no whole number.
        """
        super().__init__(0, num_tokens, device)
        self.is_token = is_token

    def _mask(self, reach: Reach, num_keys: int) -> Bool[Tensor, "*batch T S"]:
        num_tokens, device = len(self.positions), self.positions.device
        distance = distances(num_tokens, num_keys, device=device).abs()
        match reach:
            case Everything():
                near = torch.ones_like(distance, dtype=torch.bool)
            case Window(size=window):
                near = distance < window
            case Chunk(size=size):
                raise ValueError(
                    "a chunk is read up to the query, so it has no form that reads both ways; "
                    f"the chunk is {size} tokens, and there are {num_tokens}"
                )
        return near if self.is_token is None else near & self.is_token
