"""A label for each token: token ids -> logits over labels."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.config.classifier import TokenClassifierConfig
from course_lib.layers.affine import affine
from course_lib.layers.embedding import embed, require_drawn
from course_lib.model.blocks import block_module
from course_lib.model.both_ways import BothWaysReading
from course_lib.model.encoder import sequence_mask
from course_lib.model.norm_modules import norm_module
from course_lib.shapes import require_sequences

__all__ = ["TokenClassifier"]


class TokenClassifier(nn.Module):
    r"""Embed, run L blocks that read both ways, normalise, weigh every label.

    .. math:: \text{logits} = \mathrm{norm}(x_L)\, W_\text{labels} + b_\text{labels}, \qquad
        x_{l+1} = \mathrm{block}_l(x_l), \quad x_0 = \mathrm{embed}(\text{ids})

    The blocks are ``Decoder``'s. Only two things are new: their masks, which ``BothWaysReading``
    makes, and the last matrix. Its matrices are zeros at first, and it refuses to run:
    ``course_lib.model.initialise`` draws them, and ``course_lib.checkpoints.privacy_filter`` loads
    released ones.

    Source: transformers' OpenAIPrivacyFilterForTokenClassification.
    """

    def __init__(self, config: TokenClassifierConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.zeros(config.vocab_size, config.d_model))
        self.blocks = nn.ModuleList(block_module(layer, config.d_model) for layer in config.layers)
        self.final_norm = norm_module(config.final_norm, config.d_model)
        self.w_labels = nn.Parameter(torch.zeros(config.d_model, config.num_labels))
        self.b_labels = nn.Parameter(torch.zeros(config.num_labels))

    def forward(
        self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, " B"] | None = None
    ) -> Float[Tensor, "B T _"]:
        """Compute how well each label fits each token.

        Args:
            ids: tokens, padded on the right to a common length.
            lengths: tokens of each row; None means that nothing is padded.

        Returns:
            One row of logits per token, one number per label; those of padding mean nothing, the
            others are what each row gives alone.

        Raises:
            ValueError: if an id is not in the vocabulary, the weights were never drawn, or as
                ``sequence_mask``.
        """
        require_sequences(ids)
        is_token = sequence_mask(lengths, *ids.shape)
        reading = BothWaysReading(ids.shape[1], is_token, ids.device)
        x = embed(ids, self.embedding)
        require_drawn(x, "embedding", self.embedding)
        for block in self.blocks:
            x = block(x, None, reading)
        return affine(self.final_norm(x), self.w_labels, self.b_labels)
