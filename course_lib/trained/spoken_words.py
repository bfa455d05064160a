"""What the trained pronouncer says of words whose pronunciation a dictionary knows.

The words in ``data/spoken_words.tsv`` are chosen, looked up and pronounced by
``data/extract_spoken_words.py``; the tests do it again. Licences: ``data/NOTICE.md``.
"""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["SPOKEN_WORDS", "SpokenWord", "spoken_words"]

# One line per word: the word, its pronunciations in the dictionary, the network's answer.
SPOKEN_WORDS = Path(__file__).parent.parent / "data" / "spoken_words.tsv"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenWord:
    """One word of the dictionary, and what the network made of its letters.

    Attributes:
        word: letters from a to z.
        known: every pronunciation that the dictionary gives, as phonemes with their stress.
        answer: what ``pronounce`` says.
    """

    word: str
    known: tuple[tuple[str, ...], ...]
    answer: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether the answer is one of the dictionary's, phoneme by phoneme, stress included."""
        return self.answer in self.known


def spoken_words() -> tuple[SpokenWord, ...]:
    """Load 1,487 words of 3 to 18 letters: 100 of each length, 66 of 17 letters and 21 of 18.

    Returns:
        The words, the short ones first. A hash of its letters chose each, so neither its meaning
        nor how often it is said plays a part; there are names among them. Most of them were
        probably read in training, and which ones nobody can tell: see ``data/NOTICE.md``.

    Source: words and pronunciations from the CMU Pronouncing Dictionary, answers computed by
    ``pronounce`` with the weights of g2p-en 2.1.0.
    """
    lines = SPOKEN_WORDS.read_text(encoding="ascii").splitlines()
    return tuple(_word(*line.split("\t")) for line in lines)


def _word(word: str, known: str, answer: str) -> SpokenWord:
    pronunciations = tuple(tuple(one.split()) for one in known.split(", "))
    return SpokenWord(word=word, known=pronunciations, answer=tuple(answer.split()))
