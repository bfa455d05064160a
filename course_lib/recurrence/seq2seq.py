"""Encoder-decoder through one vector of fixed size."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.layers.embedding import embed, require_drawn
from course_lib.recurrence.cells import gru_step
from course_lib.recurrence.sequences import gru_forward
from course_lib.shapes import require_axes
from course_lib.sizes import require_positive, require_whole

__all__ = ["GRU", "Encoded", "RecurrentEncoderDecoder", "draw"]


class GRU(nn.Module):
    """The weights of ``gru_step``, zeros until they are drawn or loaded."""

    def __init__(self, d_model: int, num_units: int) -> None:
        require_positive(d_model=d_model, num_units=num_units)
        super().__init__()
        self.w_x = nn.Parameter(torch.zeros(d_model, 3 * num_units))
        self.w_h = nn.Parameter(torch.zeros(num_units, 3 * num_units))
        self.b_x = nn.Parameter(torch.zeros(3 * num_units))
        self.b_h = nn.Parameter(torch.zeros(3 * num_units))

    def step(self, x: Float[Tensor, "B C"], h: Float[Tensor, "B N"]) -> Float[Tensor, "B N"]:
        """Return the next state."""
        return gru_step(x, h, self.w_x, self.w_h, self.b_x, self.b_h)

    def forward(
        self, x: Float[Tensor, "B T C"], h0: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B T N"]:
        """Return the state after each step."""
        return gru_forward(x, h0, self.w_x, self.w_h, self.b_x, self.b_h)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """What the encoder hands over.

    Attributes:
        states: one state per source position.
        last: the state after the last token of each source.
        lengths: the tokens of each source.
    """

    states: Float[Tensor, "B S N"]
    last: Float[Tensor, "B N"]
    lengths: Int[Tensor, " B"]


class RecurrentEncoderDecoder(nn.Module):
    r"""A GRU reads the source; another one starts from its last state and writes the target.

    .. math:: h_0 = e_S, \qquad h_t = \mathrm{gru}(x_t, h_{t-1}), \qquad
        \text{logits}_t = h_t W + b

    All that the decoder ever learns of the source are the N numbers of one state: the
    fixed-vector bottleneck. The weights are zeros at first, and the model refuses to run: ``draw``
    draws them.

    Args:
        vocab_size: V, of the source and of the target; they share one table of vectors.
        num_units: N, of both networks, and the size of a token's vector.
        pad_id: the id that fills the end of shorter sources.

    Source: Sutskever et al. 2014 (arXiv:1409.3215), sec. 2, with one layer and the GRU of Cho et
    al. 2014 (arXiv:1406.1078); the source is not reversed.
    """

    def __init__(self, vocab_size: int, num_units: int, pad_id: int = 0) -> None:
        require_positive(vocab_size=vocab_size, num_units=num_units)
        require_whole(pad_id=pad_id)
        super().__init__()
        self.pad_id = pad_id
        self.vectors = nn.Parameter(torch.zeros(vocab_size, num_units))
        self.encoder = GRU(num_units, num_units)
        self.decoder = GRU(num_units, num_units)
        self.w_out = nn.Parameter(torch.zeros(num_units, vocab_size))
        self.b_out = nn.Parameter(torch.zeros(vocab_size))

    def forward(
        self, source: Int[Tensor, "B S"], target_in: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T V"]:
        """Return the logits of every target position, each told the right tokens before it.

        Args:
            source: the ids to read, padded at their ends.
            target_in: the start token and the target without its last token: teacher forcing.

        Returns:
            Row t holds the logits of target token t.

        Raises:
            ValueError: if an id is not in the vocabulary, padding stands before a source's token,
                the batches differ in size, a sequence has no token, or the weights were never
                drawn.
        """
        require_axes("target_in", target_in, "B T")
        if len(source) != len(target_in):
            raise ValueError(
                "each source has one target; "
                f"there are {len(source)} sources and {len(target_in)} targets; "
                f"shapes {tuple(source.shape)} and {tuple(target_in.shape)}"
            )
        if not target_in.shape[1]:
            raise ValueError(
                "a target has at least the start token; "
                f"target_in has T={target_in.shape[1]} tokens; shape {tuple(target_in.shape)}"
            )
        encoded = self.encode(source)
        state, logits = encoded.last, []
        for token in self.embed(target_in).unbind(1):
            state, row = self.step(token, state, encoded)
            logits.append(row)
        return torch.stack(logits, dim=1)

    def decode(
        self, source: Int[Tensor, "B S"], start_id: int, num_tokens: int
    ) -> Int[Tensor, "B T"]:
        """Write a target greedily: each time the most likely token, which is then read.

        Args:
            source: the ids to read, padded at their ends.
            start_id: what the decoder reads first.
            num_tokens: T, the tokens to write; there is no token that ends a target sooner.

        Returns:
            The ids, without the start token.

        Raises:
            ValueError: if no token is asked for, or as ``forward``.
        """
        require_whole(start_id=start_id, num_tokens=num_tokens)
        if num_tokens < 1:
            raise ValueError(
                f"decode writes at least one token; num_tokens is {num_tokens}; "
                f"shape of source {tuple(source.shape)}"
            )
        encoded = self.encode(source)
        state, ids = encoded.last, [source.new_full((len(source),), start_id)]
        for _ in range(num_tokens):
            state, logits = self.step(self.embed(ids[-1]), state, encoded)
            ids.append(logits.argmax(-1))
        return torch.stack(ids[1:], dim=1)

    def encode(self, source: Int[Tensor, "B S"]) -> Encoded:
        """Read the source from the first token to the last; the state before it is zero."""
        require_axes("source", source, "B S")
        is_token = source != self.pad_id
        lengths = is_token.sum(1)
        if (is_token[:, 1:] & ~is_token[:, :-1]).any():
            raise ValueError(
                f"padding (id {self.pad_id}) stands at the end of a source; "
                f"{int((is_token[:, 1:] & ~is_token[:, :-1]).any(1).sum())} of {len(source)} "
                f"sources have a token behind it; shape {tuple(source.shape)}"
            )
        h0 = self.vectors.new_zeros(len(source), self.vectors.shape[1])
        states = self.encoder(self.embed(source), h0)
        # Entry n is the state after n tokens; what the encoder read of the padding is left out.
        after = torch.cat([h0.unsqueeze(1), states], dim=1)
        last = after[torch.arange(len(source), device=source.device), lengths]
        return Encoded(states=states, last=last, lengths=lengths)

    def embed(self, ids: Int[Tensor, "*batch T"]) -> Float[Tensor, "*batch T N"]:
        """Look the vectors of tokens up."""
        vectors = embed(ids, self.vectors)
        require_drawn(vectors, "vectors", self.vectors)
        return vectors

    def step(
        self, token: Float[Tensor, "B N"], state: Float[Tensor, "B N"], encoded: Encoded
    ) -> tuple[Float[Tensor, "B N"], Float[Tensor, "B V"]]:
        """Read one target token; return the new state and the logits of the next token."""
        state = self.decoder.step(token, state)
        return state, state @ self.w_out + self.b_out


def draw(model: RecurrentEncoderDecoder, generator: torch.Generator) -> None:
    r"""Draw all weights as PyTorch draws those of its layers, in place.

    .. math:: \text{vectors} \sim \mathcal N(0, 1), \qquad
        \text{all others} \sim \mathcal U(-1/\sqrt N, 1/\sqrt N)

    Args:
        model: this model or the one with attention; its parameters are modified.
        generator: where the randomness comes from.

    Returns:
        Nothing.

    Source: PyTorch's ``nn.Embedding.reset_parameters`` and ``nn.RNNBase.reset_parameters``.
    """
    bound = 1 / math.sqrt(model.vectors.shape[1])
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name == "vectors":
                weight.normal_(generator=generator)
            else:
                weight.uniform_(-bound, bound, generator=generator)
