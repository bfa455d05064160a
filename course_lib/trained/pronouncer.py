"""A trained encoder-decoder without attention: English letters -> phonemes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.recurrence.cells import gru_step
from course_lib.recurrence.sequences import gru_forward

__all__ = [
    "LETTERS",
    "MAX_PHONEMES",
    "PHONEMES",
    "Pronouncer",
    "load_pronouncer",
    "pronounce",
]

#: The rows of the table of letters.
LETTERS = ("<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz")

_SPOKEN = """
    AA0 AA1 AA2 AE0 AE1 AE2 AH0 AH1 AH2 AO0 AO1 AO2 AW0 AW1 AW2 AY0 AY1 AY2 B CH D DH
    EH0 EH1 EH2 ER0 ER1 ER2 EY0 EY1 EY2 F G HH IH0 IH1 IH2 IY0 IY1 IY2 JH K L M N NG
    OW0 OW1 OW2 OY0 OY1 OY2 P R S SH T TH UH0 UH1 UH2 UW UW0 UW1 UW2 V W Y Z ZH
"""

#: The rows of the table of phonemes, in ARPAbet: a vowel's digit is its stress (0 none, 1 primary,
#: 2 secondary). One entry, UW, has no digit.
PHONEMES = ("<pad>", "<unk>", "<s>", "</s>", *_SPOKEN.split())

#: Longer pronunciations are cut off, as the package does.
MAX_PHONEMES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pronouncer:
    """The weights of g2p-en, as ``x @ w``: N = 256 units, and vectors of C = 256 entries.

    Attributes:
        letter_vectors: one row per entry of ``LETTERS``.
        encoder: w_x, w_h, b_x and b_h of ``gru_step``.
        phoneme_vectors: one row per entry of ``PHONEMES``.
        decoder: w_x, w_h, b_x and b_h of ``gru_step``.
        w_out: a state -> the logits of the phonemes.
        b_out: bias of the logits.
    """

    letter_vectors: Float[Tensor, "V C"]
    encoder: tuple[Tensor, Tensor, Tensor, Tensor]
    phoneme_vectors: Float[Tensor, "_ C"]
    decoder: tuple[Tensor, Tensor, Tensor, Tensor]
    w_out: Float[Tensor, "N _"]
    b_out: Float[Tensor, " _"]


def load_pronouncer(path: Path | str) -> Pronouncer:
    """Read the trained weights of the PyPI package g2p-en 2.1.0.

    Args:
        path: ``checkpoint20.npz`` inside that package (Apache-2.0). It holds arrays alone; pickled
            objects are refused.

    Returns:
        The weights in float32, matrices transposed to ``x @ w``.

    Raises:
        ValueError: if the file lacks one of the 12 arrays, or holds pickled objects.

    Source: g2p-en 2.1.0 by Kyubyong Park and Jongseok Kim; trained on the CMU Pronouncing
    Dictionary.
    """
    with np.load(path, allow_pickle=False) as file:
        missing = [name for name in _ARRAYS if name not in file]
        if missing:
            raise ValueError(
                f"a pronouncer is made of {len(_ARRAYS)} arrays; "
                f"{len(missing)} of them are missing in {Path(path).name}: {', '.join(missing)}"
            )
        arrays = {name: torch.from_numpy(file[name]) for name in _ARRAYS}
    return Pronouncer(
        letter_vectors=arrays["enc_emb"],
        encoder=_gru_weights(arrays, "enc"),
        phoneme_vectors=arrays["dec_emb"],
        decoder=_gru_weights(arrays, "dec"),
        w_out=arrays["fc_w"].mT,
        b_out=arrays["fc_b"],
    )


def pronounce(word: str, pronouncer: Pronouncer) -> list[str]:
    """Read a word letter by letter into one state, then say it phoneme by phoneme.

    Args:
        word: letters from a to z. Any other character, capitals included, is read as <unk>.
        pronouncer: the weights, from ``load_pronouncer``.

    Returns:
        The phonemes, each time the most likely one; at most ``MAX_PHONEMES``. The word "softmax"
        is said as S AO1 F T M AE2 K S.

    Source: g2p-en 2.1.0, ``G2p.predict``. The package looks a word up in a dictionary first and
    asks this network for the words that it does not find there.
    """
    unknown = LETTERS.index("<unk>")
    ids = [_LETTER_IDS.get(letter, unknown) for letter in word]
    letters = pronouncer.letter_vectors[[*ids, LETTERS.index("</s>")]]
    nothing = letters.new_zeros(pronouncer.w_out.shape[0])
    state = gru_forward(letters, nothing, *pronouncer.encoder)[-1]
    phoneme, spoken = PHONEMES.index("<s>"), list[str]()
    while len(spoken) < MAX_PHONEMES:
        state = gru_step(pronouncer.phoneme_vectors[phoneme], state, *pronouncer.decoder)
        phoneme = int((state @ pronouncer.w_out + pronouncer.b_out).argmax())
        if PHONEMES[phoneme] == "</s>":
            break
        spoken.append(PHONEMES[phoneme])
    return spoken


_LETTER_IDS = {letter: index for index, letter in enumerate(LETTERS)}
_GRU_PARTS = ("w_ih", "w_hh", "b_ih", "b_hh")
_ARRAYS = (
    *("enc_emb", "dec_emb", "fc_w", "fc_b"),
    *(f"{side}_{part}" for side in ("enc", "dec") for part in _GRU_PARTS),
)


def _gru_weights(arrays: dict[str, Tensor], side: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    w_x, w_h, b_x, b_h = (arrays[f"{side}_{part}"] for part in _GRU_PARTS)
    return w_x.mT, w_h.mT, b_x, b_h
