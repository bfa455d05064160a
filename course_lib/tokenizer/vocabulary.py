"""A vocabulary: text to ids and back, with the ranks and special tokens of released models."""

import base64
import numbers
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import regex

from course_lib.sizes import require_whole
from course_lib.tokenizer.bpe import BYTE_RANKS, bpe_encode
from course_lib.tokenizer.pre_tokens import gpt2_pre_tokens, o200k_pre_tokens, require_text

__all__ = [
    "GPT2_SPECIALS",
    "HARMONY_SPECIALS",
    "Tokenizer",
    "gpt2_tokenizer",
    "load_ranks",
    "o200k_harmony_tokenizer",
]

#: GPT-2 and GPT-3 mark the end of a document.
GPT2_SPECIALS: Mapping[str, int] = MappingProxyType({"<|endoftext|>": 50256})

_HARMONY_NAMES = {
    199998: "<|startoftext|>",
    199999: "<|endoftext|>",
    200002: "<|return|>",
    200003: "<|constrain|>",
    200005: "<|channel|>",
    200006: "<|start|>",
    200007: "<|end|>",
    200008: "<|message|>",
    200012: "<|call|>",
}

#: GPT-OSS frames messages, channels and calls of tools. Id 200018 has a second name,
#: "<|endofprompt|>"; ids are decoded to the names that stand here first.
HARMONY_SPECIALS: Mapping[str, int] = MappingProxyType(
    {_HARMONY_NAMES.get(i, f"<|reserved_{i}|>"): i for i in range(199998, 201088)}
    | {"<|endofprompt|>": 200018}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenizer:
    """Text to ids and back, by byte-level byte-pair encoding.

    Attributes:
        ranks: token -> id; every single byte is a token, a lower id was merged earlier.
        pre_tokens: cuts a text into the pieces that are encoded one by one.
        specials: names that no text encodes to by itself -> id.
        tokens: id -> token, of both kinds; derived.

    Raises:
        ValueError: if a byte is missing from ranks, two tokens share an id, or a special token has
            no name.

    Source: Radford et al. 2019, sec. 2.2.
    """

    ranks: Mapping[bytes, int] = field(repr=False)
    pre_tokens: Callable[[str], list[str]] = gpt2_pre_tokens
    specials: Mapping[str, int] = field(default_factory=dict, repr=False)
    tokens: Mapping[int, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if "" in self.specials:
            raise ValueError(
                "a special token is found in a text by its name, so the name has a character; "
                f"that of id {self.specials['']} is {''!r}, with {len(self.specials)} names in all"
            )
        require_whole(**self.specials)
        below = {name: special for name, special in self.specials.items() if special < 0}
        if below:
            raise ValueError(
                f"an id is a row of a table, so it is at least 0; {len(below)} of "
                f"{len(self.specials)} special tokens have less: {below}"
            )
        missing = BYTE_RANKS.keys() - self.ranks.keys()
        if missing:
            raise ValueError(
                f"every byte is a token; {len(missing)} of 256 are missing, "
                f"0x{min(missing).hex()} first"
            )
        tokens = {rank: token for token, rank in self.ranks.items()}
        if len(tokens) < len(self.ranks):
            raise ValueError(
                f"tokens have ids of their own; {len(self.ranks)} tokens share {len(tokens)} ids"
            )
        shared = tokens.keys() & set(self.specials.values())
        if shared:
            raise ValueError(
                f"special tokens have ids beside the ranks; {len(shared)} of "
                f"{len(self.specials)} have a rank, {min(shared)} first: {tokens[min(shared)]!r}"
            )
        for name, special in self.specials.items():
            tokens.setdefault(special, name.encode())
        object.__setattr__(self, "tokens", MappingProxyType(tokens))

    @property
    def vocab_size(self) -> int:
        """V: one more than the largest id, the rows that an embedding table needs."""
        return max(self.tokens) + 1

    def encode(self, text: str) -> list[int]:
        """Turn a text into ids; the name of a special token is text like any other.

        Args:
            text: any text that UTF-8 can hold (a lone surrogate is a UnicodeEncodeError).

        Returns:
            The ids. Equal pieces of one call are encoded once.

        Raises:
            ValueError: if the text is no str.
        """
        require_text(text)
        pieces = self.pre_tokens(text)
        ids = {piece: bpe_encode(piece.encode(), self.ranks) for piece in set(pieces)}
        return [i for piece in pieces for i in ids[piece]]

    def encode_with_specials(self, text: str) -> list[int]:
        """Turn a text into ids, where the name of a special token becomes its id.

        Only for text that the program itself has put together: whoever may write such a name may
        end a message in another's voice.

        Args:
            text: any text that UTF-8 can hold.

        Returns:
            The ids.

        Raises:
            ValueError: if the text is no str.
        """
        require_text(text)
        if not self.specials:
            return self.encode(text)
        names = sorted(self.specials, key=len, reverse=True)
        either = "|".join(regex.escape(name) for name in names)
        ids: list[int] = []
        for part in regex.split(f"({either})", text):
            ids += [self.specials[part]] if part in self.specials else self.encode(part)
        return ids

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Put the tokens of some ids together.

        Args:
            ids: ids of the vocabulary, in order.

        Returns:
            Their bytes. A part of a text may start or end within a character.

        Raises:
            ValueError: if the vocabulary has no such id, or ids are no ints (a tensor's are
                ``ids.tolist()``).
        """
        if not isinstance(ids, Iterable):
            raise ValueError(
                f"ids are decoded from a list of ints; ids is {ids!r}, of type {type(ids).__name__}"
            )
        parts: list[bytes] = []
        for i in ids:
            if not isinstance(i, numbers.Integral) or isinstance(i, bool):
                raise ValueError(
                    "ids are decoded from a list of ints, for one sequence (ids.tolist() makes it "
                    f"of a tensor); an entry is {i!r}, of type {type(i).__name__}"
                )
            if i not in self.tokens:
                raise ValueError(
                    f"an id is one of the vocabulary's {len(self.tokens)}, below "
                    f"{self.vocab_size}; id {i} is not"
                )
            parts.append(self.tokens[i])
        return b"".join(parts)

    def decode(self, ids: Iterable[int]) -> str:
        """Turn ids back into text.

        Args:
            ids: ids of the vocabulary, in order.

        Returns:
            The text; bytes that are no UTF-8 show as the character U+FFFD.

        Raises:
            ValueError: as ``decode_bytes``.
        """
        return self.decode_bytes(ids).decode(errors="replace")


def load_ranks(path: Path) -> dict[bytes, int]:
    """Read a vocabulary's ranks from a ``.tiktoken`` file.

    Args:
        path: a text file; a line holds a token in base64, a space and its id.

    Returns:
        Token -> id.

    Raises:
        ValueError: if a line holds something else.

    Source: the format of the files that tiktoken loads.
    """
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except ValueError as error:
            raise ValueError(
                f"a line is a token in base64, a space and an id; line {number} of {path.name} "
                f"is {line!r}"
            ) from error
    return ranks


def gpt2_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer of GPT-2 and GPT-3: 50,257 tokens.

    Args:
        path: the ranks, ``r50k_base.tiktoken``.

    Returns:
        The tokenizer.

    Source: the encoding r50k_base of tiktoken.
    """
    return Tokenizer(ranks=load_ranks(path), pre_tokens=gpt2_pre_tokens, specials=GPT2_SPECIALS)


def o200k_harmony_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer of GPT-OSS: 201,088 tokens, 1,090 of them special.

    Args:
        path: the ranks, ``o200k_base.tiktoken``, which GPT-4o shares.

    Returns:
        The tokenizer.

    Source: the encoding o200k_harmony of tiktoken; OpenAI 2025 (arXiv:2508.10925), sec. 2.3.
    """
    return Tokenizer(ranks=load_ranks(path), pre_tokens=o200k_pre_tokens, specials=HARMONY_SPECIALS)
