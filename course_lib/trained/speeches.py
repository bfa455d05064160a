"""Speeches of a play as short documents, and a small model that guesses their next character."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.attention.dot_product import project_qkv, scaled_dot_product_attention
from course_lib.trained.corpus import SHAKESPEARE

__all__ = ["CHARACTERS", "PEEKING", "WRITER", "SpeechModel", "load_speech_model", "speech_logits",
           "speeches"]  # fmt: skip

#: The characters of the play, in the order of their numbers; an id is a place among them.
CHARACTERS = "".join(sorted(set(SHAKESPEARE.read_text(encoding="utf-8"))))
#: The most characters of a document that the models can place.
LONGEST = 256

_DATA = Path(__file__).parent.parent / "data"
# Trained with a mask: no character reads a later one, or another speech.
WRITER = _DATA / "speech_writer.npz"
# Trained on the same speeches, but each character reads its whole speech: the next one too.
PEEKING = _DATA / "speech_peeking.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechModel:
    """Two layers of one head each, with nothing between them: V = 65, C = 48, D = 24.

    Attributes:
        table: a row for each character.
        places: a row for each position of a document, from 0.
        w_q: for each layer, the projection into queries.
        w_k: into keys.
        w_v: into values, which are added to what the layer was given.
        w_out: into a score for each character that may come next.
    """

    table: Float[Tensor, "V C"]
    places: Float[Tensor, "P C"]
    w_q: Float[Tensor, "L C D"]
    w_k: Float[Tensor, "L C D"]
    w_v: Float[Tensor, "L C C"]
    w_out: Float[Tensor, "C V"]


def speeches(act: int) -> list[Int[Tensor, " T"]]:
    """Return the speeches of an act of "Julius Caesar", each as a document of character ids.

    The speaker's name and stage directions between speeches are left out; a speech ends with a
    line break. Speeches of more than 256 characters are left out too.

    Args:
        act: 1 to 5.

    Returns:
        The speeches in the order of the play.

    Raises:
        ValueError: if the play has no such act.

    >>> "".join(CHARACTERS[i] for i in speeches(3)[0].tolist())
    'The Ides of March are come.\\n'
    """
    text = SHAKESPEARE.read_text(encoding="utf-8")
    acts = re.split(r"^ACT [IV]+\.\n", text, flags=re.MULTILINE)[1:]
    if not 1 <= act <= len(acts):
        raise ValueError(f"the play has acts 1 to {len(acts)}; act is {act}")
    spoken = re.findall(r"^[A-Z][A-Z ]+\.\n(.+?)(?:\n\n|\Z)", acts[act - 1], re.DOTALL | re.M)
    number = {character: place for place, character in enumerate(CHARACTERS)}
    documents = ([number[one] for one in f"{speech.strip()}\n"] for speech in spoken)
    return [torch.tensor(ids) for ids in documents if len(ids) <= LONGEST]


def load_speech_model(path: Path | None = None) -> SpeechModel:
    """Load one of the two committed models.

    Args:
        path: ``WRITER``, which None means, or ``PEEKING``.

    Returns:
        The model, in float32; the file holds float16.
    """
    with np.load(WRITER if path is None else path) as arrays:
        return SpeechModel(**{name: torch.from_numpy(arrays[name]).float() for name in arrays})


def speech_logits(
    model: SpeechModel,
    ids: Int[Tensor, "*batch T"],
    positions: Int[Tensor, "*batch T"],
    may_attend: Bool[Tensor, "*mask T T"] | None,
) -> Float[Tensor, "*batch T V"]:
    r"""Score every character as the next one, at each position.

    Twice, and then once:

    .. math:: X \leftarrow X + \mathrm{softmax}(Q K^\top / \sqrt{D}) V

    .. math:: X W_{\text{out}}

    Args:
        model: the parameters.
        ids: the characters.
        positions: where each stands in its document, from 0.
        may_attend: True where a character may read another, in both layers; None for all.

    Returns:
        The logits.
    """
    x = model.table[ids] + model.places[positions]
    for w_q, w_k, w_v in zip(model.w_q, model.w_k, model.w_v, strict=True):
        query, key, value = project_qkv(x, w_q, w_k, w_v)
        x = x + scaled_dot_product_attention(query, key, value, may_attend)[0]
    return x @ model.w_out
