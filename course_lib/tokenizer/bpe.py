"""Byte-pair encoding: learn which neighbours to merge, then merge them in the order learnt."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

import regex

from course_lib.sizes import require_whole
from course_lib.tokenizer.pre_tokens import GPT2_PATTERN, require_text

__all__ = [
    "BYTE_RANKS",
    "bpe_encode",
    "bpe_train",
    "merge_pair",
    "merges_from_ranks",
    "ranks_from_merges",
]

_VISIBLE = [byte for byte in range(256) if chr(byte).isprintable() and chr(byte) != " "]

#: The tokens that every byte-level vocabulary starts from. Ids in GPT-2's order: first the bytes
#: that Latin-1 shows as a visible character, then the others.
BYTE_RANKS: Mapping[bytes, int] = MappingProxyType(
    {
        bytes([byte]): rank
        for rank, byte in enumerate(sorted(range(256), key=lambda byte: byte not in _VISIBLE))
    }
)


def merge_pair(ids: Sequence[int], pair: tuple[int, int], merged: int) -> list[int]:
    """Replace a pair of neighbours by one id, from left to right.

    Args:
        ids: tokens.
        pair: the two ids to look for, in this order.
        merged: the id that stands for both.

    Returns:
        The shorter list. Occurrences that overlap are not merged twice: of three equal ids the
        first two become one.

    >>> merge_pair([7, 7, 7, 5, 7, 7], (7, 7), 9)
    [9, 7, 5, 9]
    """
    result: list[int] = []
    start = 0
    while start < len(ids):
        if tuple(ids[start : start + 2]) == pair:
            result.append(merged)
            start += 2
        else:
            result.append(ids[start])
            start += 1
    return result


def bpe_train(text: str, merges: int, pattern: str = GPT2_PATTERN) -> list[tuple[bytes, bytes]]:
    """Learn merges: again and again join the pair of neighbours that is most frequent.

    Pairs are counted at every position (three equal tokens hold the pair twice), never across
    two pre-tokens. Of equally frequent pairs the one with the smallest ids (left, then right) is
    merged, where ids are those of ``ranks_from_merges``.

    Args:
        text: what to learn from.
        merges: how many to learn, at least 0.
        pattern: what a pre-token is, as a regular expression without groups that it keeps.

    Returns:
        The merges in the order in which they were learnt, each as its two parts. Fewer than
        asked for only if no neighbours are left: every pre-token is one token.

    Raises:
        ValueError: if merges is negative, or text is none.
        UnicodeEncodeError: if the text holds half of a surrogate pair, which no bytes stand for.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), sec. 3.2, on bytes as in Radford et al. 2019,
    sec. 2.2. There ties are left open; the rule here is that of Hugging Face's trainer.
    Cost: a merge looks at every distinct pair once, and again at the distinct pre-tokens that
    hold the merged pair; the text is read once.

    >>> bpe_train("low lower lowest", 3)
    [(b'l', b'o'), (b'lo', b'w'), (b' ', b'low')]
    """
    require_text(text)
    require_whole(merges=merges)
    if merges < 0:
        raise ValueError(f"merges is at least 0; merges is {merges}")
    counts = Counter(regex.findall(pattern, text))
    words = [[BYTE_RANKS[bytes([byte])] for byte in word.encode()] for word in counts]
    pairs = _PairCounts(words, list(counts.values()))
    tokens = list(BYTE_RANKS)
    learnt: list[tuple[bytes, bytes]] = []
    while len(learnt) < merges and pairs.counts:
        pair = pairs.most_frequent()
        left, right = tokens[pair[0]], tokens[pair[1]]
        pairs.merge(pair, len(tokens))
        tokens.append(left + right)
        learnt.append((left, right))
    return learnt


class _PairCounts:
    """How often each pair of neighbours occurs, kept up to date while pairs are merged."""

    def __init__(self, words: list[list[int]], frequencies: list[int]) -> None:
        self.words = words
        self.frequencies = frequencies
        self.counts: Counter[tuple[int, int]] = Counter()
        self.where: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
        for index in range(len(words)):
            self._count(index, 1)

    def _count(self, index: int, sign: int) -> None:
        for pair in pairwise(self.words[index]):
            self.counts[pair] += sign * self.frequencies[index]
            if sign > 0:
                self.where[pair].add(index)
            elif self.counts[pair] == 0:
                del self.counts[pair]

    def most_frequent(self) -> tuple[int, int]:
        top = max(self.counts.values())
        return min(pair for pair, count in self.counts.items() if count == top)

    def merge(self, pair: tuple[int, int], merged: int) -> None:
        # A word stays listed under a pair that it has lost: looking at it again changes nothing.
        for index in self.where.pop(pair):
            self._count(index, -1)
            self.words[index] = merge_pair(self.words[index], pair, merged)
            self._count(index, 1)


def bpe_encode(piece: bytes, ranks: Mapping[bytes, int]) -> list[int]:
    """Encode one pre-token: merge the neighbours whose union has the lowest rank, until none has.

    The lowest rank is the merge that was learnt first. Taking the longest known token instead
    gives other ids.

    Args:
        piece: the bytes of one pre-token.
        ranks: token -> id; a lower id was learnt earlier. It holds every single byte.

    Returns:
        The ids; their tokens put together are the piece.

    Raises:
        ValueError: if a byte of the piece is no token, or the piece is no bytes.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), sec. 3.2. A vocabulary keeps one rank per
    token, not per pair, as in tiktoken: a token may form from any two halves.
    Cost: with n bytes at most n - 1 rounds over at most n pairs: O(n²), and n is a word's length.
    Where a text holds no space or sign for thousands of letters, that is slow: 20,000 times the
    letter a, which is one pre-token, took about a minute.

    >>> ranks = {b"a": 0, b"b": 1, b"c": 2, b"bc": 3, b"ab": 4, b"abc": 5}
    >>> bpe_encode(b"abcab", ranks)
    [5, 4]
    """
    if not isinstance(piece, bytes):
        raise ValueError(
            "a piece of a text is encoded by its bytes (piece.encode() makes them of a str); "
            f"piece is of type {type(piece).__name__}"
        )
    parts = [bytes([byte]) for byte in piece]
    while True:
        unions = [left + right for left, right in pairwise(parts)]
        known = [(ranks[union], start) for start, union in enumerate(unions) if union in ranks]
        if not known:
            break
        _, start = min(known)
        parts[start : start + 2] = [unions[start]]
    for part in parts:
        if part not in ranks:
            raise ValueError(
                f"ranks holds every single byte; byte 0x{part.hex()} of the piece {piece!r} is "
                f"none of its {len(ranks)} tokens"
            )
    return [ranks[part] for part in parts]


def ranks_from_merges(merges: Iterable[tuple[bytes, bytes]]) -> dict[bytes, int]:
    """Number the tokens: first the 256 bytes, then what each merge made.

    Args:
        merges: pairs of tokens in the order in which they were learnt.

    Returns:
        Token -> id. A merge that makes a known token again keeps its id.

    Raises:
        ValueError: if a merge joins what is neither a byte nor made by an earlier merge.

    >>> ranks_from_merges([(b"t", b"h"), (b"th", b"e")])[b"the"]
    257
    """
    ranks = dict(BYTE_RANKS)
    for number, (left, right) in enumerate(merges):
        for part in (left, right):
            if part not in ranks:
                raise ValueError(
                    "a merge joins bytes or what earlier merges made; merge "
                    f"{number} joins {left!r} and {right!r}, and {part!r} is none of the "
                    f"{len(ranks)} tokens so far"
                )
        ranks.setdefault(left + right, len(ranks))
    return ranks


def merges_from_ranks(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """Recover the merges of a vocabulary that lists its tokens only.

    The parts of a token are what the tokens of lower rank make of its bytes.

    Args:
        ranks: token -> id, every single byte among them.

    Returns:
        The merges by rank, each as its two parts.

    Raises:
        ValueError: if lower ranks make a token of more or fewer than two parts.

    >>> merges_from_ranks(ranks_from_merges([(b"t", b"h"), (b"th", b"e")]))
    [(b't', b'h'), (b'th', b'e')]
    """
    known = {token: rank for token, rank in ranks.items() if len(token) == 1}
    names = {rank: token for token, rank in ranks.items()}
    merges: list[tuple[bytes, bytes]] = []
    for token in sorted(ranks.keys() - known.keys(), key=ranks.__getitem__):
        parts = [names[rank] for rank in bpe_encode(token, known)]
        if len(parts) != 2:
            raise ValueError(
                f"a token is made of 2 tokens of lower rank; {token!r} of rank {ranks[token]} is "
                f"made of {len(parts)}: {parts}"
            )
        merges.append((parts[0], parts[1]))
        known[token] = ranks[token]
    return merges
