"""Two trained networks that write a word backwards: through one vector, and by attention.

The arrays in ``data/reversers.npz`` are written by ``data/train_reversers.py``, with the same task,
number of units and number of steps for both.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.recurrence.seq2seq import RecurrentEncoderDecoder
from course_lib.recurrence.seq2seq_attention import AttentionEncoderDecoder

__all__ = [
    "ALPHABET",
    "DATA",
    "NUM_UNITS",
    "REVERSERS",
    "START_ID",
    "VOCAB_SIZE",
    "alignment",
    "as_ids",
    "as_words",
    "load_reverser",
]

DATA = Path(__file__).parent.parent / "data" / "reversers.npz"

#: Id 0 is padding, id 1 begins a target, and the letters follow.
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
START_ID = 1
FIRST_ID = 2
VOCAB_SIZE = FIRST_ID + len(ALPHABET)
NUM_UNITS = 32

#: name -> the class of the network.
REVERSERS: dict[str, type[RecurrentEncoderDecoder]] = {
    "vector": RecurrentEncoderDecoder,
    "attention": AttentionEncoderDecoder,
}


def load_reverser(name: str) -> RecurrentEncoderDecoder:
    """Load one of the two trained networks.

    Args:
        name: "vector", whose decoder knows the source by one state alone, or "attention", which
            reads all states again before each letter.

    Returns:
        The network, with its learnt parameters.

    Raises:
        ValueError: if there is no network of that name.
    """
    if name not in REVERSERS:
        raise ValueError(f"there are the networks {', '.join(REVERSERS)}; {name!r} is none of them")
    model = REVERSERS[name](VOCAB_SIZE, NUM_UNITS)
    with np.load(DATA) as arrays:
        state = {
            key.removeprefix(f"{name}/"): torch.from_numpy(arrays[key].astype(np.float32))
            for key in arrays.files
            if key.startswith(f"{name}/")
        }
    model.load_state_dict(state)
    return model.requires_grad_(False)


def as_ids(words: Sequence[str]) -> Int[Tensor, "B S"]:
    """Turn words into ids, shorter ones padded at their ends.

    Args:
        words: at least one word of the letters a to z.

    Returns:
        One row per word, as long as the longest.

    Raises:
        ValueError: if there is no word, or a sign that is no letter from a to z.
    """
    strange = sorted({sign for word in words for sign in word} - set(ALPHABET))
    if not words or strange:
        raise ValueError(
            f"words are made of the letters a to z; there are {len(words)} words, "
            f"with {strange} in them"
        )
    ids = torch.zeros(len(words), max(map(len, words)), dtype=torch.long)
    for row, word in zip(ids, words, strict=True):
        row[: len(word)] = torch.tensor([FIRST_ID + ALPHABET.index(letter) for letter in word])
    return ids


def as_words(ids: Int[Tensor, "B T"]) -> list[str]:
    """Turn ids into words; what is no letter is left out.

    Args:
        ids: one row per word.

    Returns:
        The words.
    """
    return [
        "".join(ALPHABET[one - FIRST_ID] for one in row if one >= FIRST_ID) for row in ids.tolist()
    ]


def alignment(
    model: AttentionEncoderDecoder, source: Int[Tensor, "B S"], num_tokens: int
) -> tuple[Int[Tensor, "B T"], Float[Tensor, "B T S"]]:
    """Let the network write, each time the most likely letter, and keep what it read.

    Args:
        model: the network with attention.
        source: the ids to read, padded at their ends.
        num_tokens: T, the letters to write.

    Returns:
        The ids that were written, and the weights with which each was: row t belongs to letter t.

    Source: Bahdanau et al. 2014 (arXiv:1409.0473), sec. 3.1 and fig. 3.
    """
    encoded = model.encode(source)
    state, token = encoded.last, source.new_full((len(source),), START_ID)
    ids, rows = [], []
    for _ in range(num_tokens):
        rows.append(model.align(state, encoded)[1])
        state, logits = model.step(model.embed(token), state, encoded)
        token = logits.argmax(-1)
        ids.append(token)
    return torch.stack(ids, dim=1), torch.stack(rows, dim=1)
