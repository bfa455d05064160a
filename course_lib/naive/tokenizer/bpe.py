"""Byte-pair encoding that counts everything anew after each merge."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from course_lib.naive.tokenizer.pre_tokens import gpt2_pre_tokens

__all__ = ["bpe_encode", "bpe_train", "merge_pair", "merges_from_ranks", "ranks_from_merges"]


def merge_pair(ids: Sequence[int], pair: tuple[int, int], merged: int) -> list[int]:
    """Write the ids one by one; whenever the last two are the pair, replace them."""
    result: list[int] = []
    untouched = 0
    for token in ids:
        result.append(token)
        untouched += 1
        # A merged id may not be merged again, even if it should equal a part of the pair.
        if untouched >= 2 and (result[-2], result[-1]) == pair:
            result[-2:] = [merged]
            untouched = 0
    return result


def bpe_train(
    text: str,
    merges: int,
    pre_tokens: Callable[[str], list[str]] = gpt2_pre_tokens,
) -> list[tuple[bytes, bytes]]:
    """Count all pairs in all pre-tokens, merge the first of the most frequent, count again."""
    learnt: list[tuple[bytes, bytes]] = []
    words = [[bytes([byte]) for byte in word.encode()] for word in pre_tokens(text)]
    while len(learnt) < merges:
        ranks = ranks_from_merges(learnt)
        counts: dict[tuple[bytes, bytes], int] = {}
        for word in words:
            for i in range(len(word) - 1):
                pair = (word[i], word[i + 1])
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], ranks[pair[0]], ranks[pair[1]]))
        learnt.append(best)
        for word in words:
            i = 0
            while i < len(word) - 1:
                if (word[i], word[i + 1]) == best:
                    word[i : i + 2] = [best[0] + best[1]]
                i += 1
    return learnt


def bpe_encode(piece: bytes, ranks: Mapping[bytes, int]) -> list[int]:
    """Try every token from the lowest rank up, wherever two neighbours make it."""
    parts = [bytes([byte]) for byte in piece]
    for token in sorted(ranks, key=lambda token: ranks[token]):
        i = 0
        while i < len(parts) - 1:
            if parts[i] + parts[i + 1] == token:
                parts[i : i + 2] = [token]
            i += 1
    return [ranks[part] for part in parts]


def ranks_from_merges(merges: Iterable[tuple[bytes, bytes]]) -> dict[bytes, int]:
    """Visible bytes of Latin-1 first, then the other bytes, then each new union."""
    tokens = []
    for visible in (True, False):
        for byte in range(256):
            if (33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte <= 255) == visible:
                tokens.append(bytes([byte]))
    for left, right in merges:
        if left + right not in tokens:
            tokens.append(left + right)
    return {token: rank for rank, token in enumerate(tokens)}


def merges_from_ranks(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """For each token the one cut whose two halves survive when lower ranks encode it."""
    merges = []
    for token in sorted(ranks, key=lambda token: ranks[token]):
        lower = {other: rank for other, rank in ranks.items() if rank < ranks[token]}
        lower |= {other: rank for other, rank in ranks.items() if len(other) == 1}
        for cut in range(1, len(token)):
            halves = (token[:cut], token[cut:])
            if bpe_encode(token, lower) == [lower.get(half, -1) for half in halves]:
                merges.append(halves)
    return merges
