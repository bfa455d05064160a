"""Texts as two released vocabularies cut them, and merges that somebody else's trainer learnt."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from course_lib.tokenizer.pre_tokens import gpt2_pre_tokens, o200k_pre_tokens
from course_lib.tokenizer.vocabulary import (
    GPT2_SPECIALS,
    HARMONY_SPECIALS,
    Tokenizer,
    load_ranks,
)

__all__ = [
    "FOLDER",
    "MERGES",
    "PARTS",
    "TEXTS",
    "ReleasedTokens",
    "load_released_tokens",
    "load_shakespeare_merges",
]

FOLDER = Path(__file__).parent.parent / "data"
TEXTS = FOLDER / "released_tokens.json"
MERGES = FOLDER / "shakespeare_merges.tsv"
#: Vocabulary -> the part of its ranks that lies in the course; the rest is not needed here.
PARTS = {
    "gpt2": FOLDER / "gpt2_part.tiktoken",
    "o200k_harmony": FOLDER / "o200k_harmony_part.tiktoken",
}
_CUTS = {
    "gpt2": (gpt2_pre_tokens, GPT2_SPECIALS),
    "o200k_harmony": (o200k_pre_tokens, HARMONY_SPECIALS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedTokens:
    """Some texts, and how a released vocabulary cuts them.

    Attributes:
        texts: by name; "English 1" and "Chinese 1" say the same.
        ids: name of a text -> its ids, as tiktoken gives them.
        tokenizer: with the part of the ranks that these texts meet. Other texts may get other
            ids than from the whole vocabulary.
        vocab_size: V of the whole vocabulary, special tokens included.
        tokens: how many tokens of the whole vocabulary hold what.
    """

    texts: Mapping[str, str]
    ids: Mapping[str, list[int]]
    tokenizer: Tokenizer
    vocab_size: int
    tokens: Mapping[str, int]

    def pieces(self, name: str) -> list[bytes]:
        """Return the bytes of each token of a text.

        Args:
            name: of the text.

        Returns:
            One piece per id; put together they are the text.
        """
        return [self.tokenizer.tokens[i] for i in self.ids[name]]


def load_released_tokens(vocabulary: str) -> ReleasedTokens:
    """Read the texts and their ids in one vocabulary.

    Args:
        vocabulary: "gpt2" (50,257 tokens) or "o200k_harmony" (201,088, of GPT-OSS).

    Returns:
        The texts, their ids, and a tokenizer that computes them.

    Raises:
        ValueError: if there is no such vocabulary.

    Source: tiktoken's encodings r50k_base and o200k_harmony; ``course_lib/data/NOTICE.md``.
    """
    if vocabulary not in PARTS:
        raise ValueError(f"the vocabularies are {sorted(PARTS)}; {vocabulary!r} is none of them")
    held = json.loads(TEXTS.read_text(encoding="utf-8"))
    cut, specials = _CUTS[vocabulary]
    ranks = load_ranks(PARTS[vocabulary])
    return ReleasedTokens(
        texts=held["texts"],
        tokenizer=Tokenizer(ranks=ranks, pre_tokens=cut, specials=specials),
        **held["vocabularies"][vocabulary],
    )


def load_shakespeare_merges() -> list[tuple[bytes, bytes]]:
    """Read the 600 merges that Hugging Face's trainer learns from the play of the course.

    Returns:
        The merges in the order in which they were learnt, each as its two parts.

    Source: ``tokenizers.trainers.BpeTrainer``; ``course_lib/data/NOTICE.md``.
    """
    lines = MERGES.read_text(encoding="ascii").splitlines()
    pairs = [[bytes.fromhex(part) for part in line.split("\t")] for line in lines]
    return [(left, right) for left, right in pairs]
