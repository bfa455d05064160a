"""Answers on tokens and embeddings, made anew after public threads: wrong ones, and right ones.

Each wrong one is written as a learner would write it after that mistake. Which thread, and what the
check has to say, stands in `tests/grading/test_answers_from_threads_tokens_and_embeddings.py`.
"""

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import regex
import torch

from course_lib.tokenizer.bpe import BYTE_RANKS
from course_lib.tokenizer.pre_tokens import GPT2_PATTERN

# -- all weight on one key ------------------------------------------------------------------------


def as_many_columns_as_the_largest(ids: Any, S: Any) -> Any:
    wide = torch.zeros(*ids.shape, ids.max() + 1)
    wide.scatter_(-1, ids.unsqueeze(-1), 1)
    return wide


def one_column_for_the_background(ids: Any, S: Any) -> Any:
    return torch.nn.functional.one_hot(ids, S + 1).float()


def weights_by_a_steep_softmax(ids: Any, S: Any) -> Any:
    away = (torch.arange(S) - ids[..., None]).abs()
    return (-1e4 * away).float().softmax(-1)


def weights_row_by_row(ids: Any, S: Any) -> Any:
    rows = [[float(s == one) for s in range(S)] for one in ids.flatten().tolist()]
    return torch.tensor(rows).view(*ids.shape, S)


# -- merging -------------------------------------------------------------------------------------


def only_pairs_at_even_places(ids: Any, pair: Any, merged: int) -> list[int]:
    result: list[int] = []
    for at in range(0, len(ids), 2):
        two = ids[at : at + 2]
        result += [merged] if tuple(two) == tuple(pair) else two
    return result


def a_merged_token_is_used_again(ids: Any, pair: Any, merged: int) -> list[int]:
    result: list[int] = []
    for at, one in enumerate(ids):
        follows = at + 1 < len(ids) and (one, ids[at + 1]) == tuple(pair)
        result.append(merged if follows else one)
    return result


def merged_by_popping(ids: Any, pair: Any, merged: int) -> list[int]:
    rest, result = list(reversed(ids)), []
    while rest:
        one = rest.pop()
        if rest and (one, rest[-1]) == tuple(pair):
            rest.pop()
            one = merged
        result.append(one)
    return result


def merged_by_a_pattern(ids: Any, pair: Any, merged: int) -> list[int]:
    text = " ".join(f"<{one}>" for one in ids).replace(
        f"<{pair[0]}> <{pair[1]}>", f"<{merged}>"
    )  # fmt: skip
    return [int(one[1:-1]) for one in text.split()]


# -- learning ------------------------------------------------------------------------------------


def _learn(
    text: str, merges: int, pattern: str, *, pieces: Any = None, symbols: Any = None,
    count: Any = None, choose: Any = None, again: Any = None,
) -> list[tuple[bytes, bytes]]:  # fmt: skip
    found = regex.findall(pattern, text) if pieces is None else pieces(text, pattern)
    words = [(symbols or _single)(piece) for piece in found]
    ids = dict(BYTE_RANKS)
    learnt: list[tuple[bytes, bytes]] = []
    while len(learnt) < merges:
        counts = (count or _counts)(words)
        if not counts or (again is not None and not again(counts)):
            break
        left, right = (choose or _smallest)(counts, ids)
        learnt.append((left, right))
        ids.setdefault(left + right, len(ids))
        for word in words:
            at = 0
            while at < len(word) - 1:
                if (word[at], word[at + 1]) == (left, right):
                    word[at : at + 2] = [left + right]
                at += 1
    return learnt


def _single(piece: str) -> list[bytes]:
    return [bytes([one]) for one in piece.encode()]


def _counts(words: Any) -> Any:
    return Counter(pair for word in words for pair in pairwise(word))


def _smallest(counts: Any, ids: Any) -> Any:
    far = 10**9
    return min(
        counts, key=lambda pair: (-counts[pair], ids.get(pair[0], far), ids.get(pair[1], far))
    )


def overlaps_counted_once(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    def count(words: Any) -> Any:
        counts: Any = Counter()
        for word in words:
            at, last = 0, None
            while at < len(word) - 1:
                pair = (word[at], word[at + 1])
                if pair[0] == pair[1] and last == pair:
                    last = None
                else:
                    counts[pair] += 1
                    last = pair
                at += 1
        return counts

    return _learn(text, merges, pattern, count=count)


def the_first_of_the_most_frequent(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    return _learn(text, merges, pattern, choose=lambda counts, ids: max(counts, key=counts.get))


def ties_by_the_bytes(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    return _learn(
        text, merges, pattern,
        choose=lambda counts, ids: min(counts, key=lambda pair: (-counts[pair], pair)),
    )  # fmt: skip


def merges_across_the_cuts(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    def count(words: Any) -> Any:
        return Counter(pairwise([one for word in words for one in word]))

    def pieces(text: str, pattern: str) -> list[str]:
        return ["".join(regex.findall(pattern, text))]

    return _learn(text, merges, pattern, pieces=pieces, count=count)


def stops_at_pairs_that_stand_alone(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    return _learn(text, merges, pattern, again=lambda counts: max(counts.values()) >= 2)


def all_counted_in_one_go(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    pieces = [piece.encode() for piece in regex.findall(pattern, text)]
    counts = Counter(piece[at : at + 2] for piece in pieces for at in range(len(piece) - 1))
    return [(pair[:1], pair[1:]) for pair, _ in counts.most_common(merges)]


def several_merges_at_once(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    words = [_single(piece) for piece in regex.findall(pattern, text)]
    ids = dict(BYTE_RANKS)
    learnt: list[tuple[bytes, bytes]] = []
    while len(learnt) < merges:
        counts = _counts(words)
        best = sorted(counts, key=lambda p: (-counts[p], ids[p[0]], ids[p[1]]))[:2]
        if not best:
            break
        for left, right in best[: merges - len(learnt)]:
            learnt.append((left, right))
            ids.setdefault(left + right, len(ids))
            for word in words:
                at = 0
                while at < len(word) - 1:
                    if (word[at], word[at + 1]) == (left, right):
                        word[at : at + 2] = [left + right]
                    at += 1
    return learnt


def the_last_piece_is_not_counted(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    return _learn(text, merges, pattern, count=lambda words: _counts(words[:-1]))


def characters_are_the_smallest(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    return _learn(text, merges, pattern, symbols=lambda piece: [one.encode() for one in piece])


def characters_as_text(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    pairs = characters_are_the_smallest(text, merges, pattern)
    return [(left.decode(), right.decode()) for left, right in pairs]


def a_mark_behind_each_word(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    return _learn(
        text, merges, pattern, pieces=lambda text, pattern: text.split(),
        symbols=lambda piece: [*_single(piece), b"</w>"],
    )  # fmt: skip


def runs_of_one_letter_are_not_counted(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    def count(words: Any) -> Any:
        counts = _counts(words)
        return Counter({pair: n for pair, n in counts.items() if pair[0] != pair[1]})

    return _learn(text, merges, pattern, count=count)


def learnt_by_strings(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    """Bytes as letters of Latin-1, tokens divided by a mark."""
    order = {one.decode("latin-1"): rank for one, rank in BYTE_RANKS.items()}
    words = ["\n" + "\n".join(piece.encode().decode("latin-1")) + "\n"
             for piece in regex.findall(pattern, text.replace("\n", "\r"))]  # fmt: skip
    learnt = []
    for _ in range(merges):
        counts = Counter(pair for word in words for pair in pairwise(word.strip("\n").split("\n")))
        if not counts:
            break
        a, b = min(counts, key=lambda pair: (-counts[pair], order[pair[0]], order[pair[1]]))
        learnt.append((a.encode("latin-1"), b.encode("latin-1")))
        order[a + b] = len(order)
        mended = []
        for word in words:
            parts, at = word.strip("\n").split("\n"), 0
            while at + 1 < len(parts):
                if parts[at] == a and parts[at + 1] == b:
                    parts[at : at + 2] = [a + b]
                at += 1
            mended.append("\n" + "\n".join(parts) + "\n")
        words = mended
    return learnt


def learnt_with_counts_kept(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    """Keep the counts and change only what a merge changes."""
    frequency = Counter(regex.findall(pattern, text))
    words = [_single(piece) for piece in frequency]
    times = list(frequency.values())
    counts: Any = Counter()
    for word, n in zip(words, times, strict=True):
        for pair in pairwise(word):
            counts[pair] += n
    ids = dict(BYTE_RANKS)
    learnt: list[tuple[bytes, bytes]] = []
    while len(learnt) < merges:
        counts = +counts
        if not counts:
            break
        top = max(counts.values())
        best = min((p for p in counts if counts[p] == top), key=lambda p: (ids[p[0]], ids[p[1]]))
        learnt.append(best)
        ids[best[0] + best[1]] = len(ids)
        for word, n in zip(words, times, strict=True):
            if best not in pairwise(word):
                continue
            for pair in pairwise(word):
                counts[pair] -= n
            at = 0
            while at < len(word) - 1:
                if (word[at], word[at + 1]) == best:
                    word[at : at + 2] = [best[0] + best[1]]
                at += 1
            for pair in pairwise(word):
                counts[pair] += n
    return learnt


def learnt_with_numpy_like_ids(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    """One long list of ids with −1 between the pieces."""
    names: Any = dict(enumerate(BYTE_RANKS))
    row: list[int] = []
    for piece in regex.findall(pattern, text):
        row += [BYTE_RANKS[bytes([one])] for one in piece.encode()] + [-1]
    learnt = []
    for number in range(256, 256 + merges):
        counts = Counter((a, b) for a, b in pairwise(row) if a >= 0 and b >= 0)
        if not counts:
            break
        a, b = sorted(counts, key=lambda pair: (-counts[pair], pair))[0]
        learnt.append((names[a], names[b]))
        names[number] = names[a] + names[b]
        new, at = [], 0
        while at < len(row):
            is_here = row[at : at + 2] == [a, b]
            new.append(number if is_here else row[at])
            at += 2 if is_here else 1
        row = new
    return learnt


def learnt_recursively(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    def go(words: Any, ids: Any, left: int) -> Any:
        counts = _counts(words)
        if left == 0 or not counts:
            return []
        a, b = _smallest(counts, ids)
        joined = [_joined(word, a, b) for word in words]
        return [(a, b), *go(joined, {**ids, a + b: len(ids)}, left - 1)]

    return go([_single(piece) for piece in regex.findall(pattern, text)], BYTE_RANKS, merges)


def _joined(word: Any, a: bytes, b: bytes) -> Any:
    result: Any = []
    for one in word:
        if result and result[-1][1] and result[-1][0] == a and one == b:
            result[-1] = (a + b, False)  # not to be merged again in this walk
        else:
            result.append((one, True))
    return [one for one, _ in result]


def learnt_with_an_ordered_text(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    """Sort the pieces, which changes nothing, and take the best by two sorts."""
    words = [_single(piece) for piece in sorted(regex.findall(pattern, text))]
    ids = dict(BYTE_RANKS)
    learnt: list[tuple[bytes, bytes]] = []
    for _ in range(merges):
        counts = _counts(words)
        if not counts:
            return learnt
        pairs = sorted(counts, key=lambda pair: ids[pair[1]])
        pairs.sort(key=lambda pair: ids[pair[0]])
        pairs.sort(key=lambda pair: counts[pair], reverse=True)
        learnt.append(pairs[0])
        ids[b"".join(pairs[0])] = len(ids)
        words = [_joined(word, *pairs[0]) for word in words]
    return learnt


def learnt_with_merge_pair(text: str, merges: int, pattern: str = GPT2_PATTERN) -> Any:
    tokens = list(BYTE_RANKS)
    words = [[BYTE_RANKS[one] for one in _single(piece)] for piece in regex.findall(pattern, text)]
    learnt: Any = []
    while len(learnt) < merges and any(len(word) > 1 for word in words):
        counts = _counts(words)
        top = counts.most_common(1)[0][1]
        best = min(pair for pair, n in counts.items() if n == top)
        words = [merged_by_popping(word, best, len(tokens)) for word in words]
        learnt.append((tokens[best[0]], tokens[best[1]]))
        tokens.append(b"".join(learnt[-1]))
    return learnt


# -- encoding ------------------------------------------------------------------------------------


def left_to_right(piece: bytes, ranks: Any) -> list[int]:
    parts = _parts(piece)
    changed = True
    while changed:
        changed = False
        for at in range(len(parts) - 1):
            if parts[at] + parts[at + 1] in ranks:
                parts[at : at + 2] = [parts[at] + parts[at + 1]]
                changed = True
                break
    return [ranks[part] for part in parts]


def _parts(piece: bytes) -> list[bytes]:
    return [piece[at : at + 1] for at in range(len(piece))]


def the_longest_first(piece: bytes, ranks: Any) -> list[int]:
    ids, start = [], 0
    while start < len(piece):
        end = max(end for end in range(start + 1, len(piece) + 1) if piece[start:end] in ranks)
        ids.append(ranks[piece[start:end]])
        start = end
    return ids


def two_by_two(piece: bytes, ranks: Any) -> list[int]:
    parts = _parts(piece)
    while True:
        new: list[bytes] = []
        for at in range(0, len(parts), 2):
            union = b"".join(parts[at : at + 2])
            new += [union] if union in ranks else parts[at : at + 2]
        if new == parts:
            return [ranks[part] for part in parts]
        parts = new


def spans_of_one_byte(piece: bytes, ranks: Any) -> list[int]:
    return [ranks[one] for one in _parts(piece)]


def ids_from_the_merges(piece: bytes, ranks: Any) -> list[int]:
    """Merge rightly, and number the merged tokens from 256 on."""
    order = sorted(ranks, key=ranks.get)
    merges = {token: 256 + n for n, token in enumerate(t for t in order if len(t) > 1)}
    right = merged_by_rank(piece, ranks)
    names = {rank: token for token, rank in ranks.items()}
    return [merges.get(names[one], one) for one in right]


def grapheme_by_grapheme(piece: bytes, ranks: Any) -> list[int]:
    parts = [one.encode() for one in piece.decode()]
    while True:
        known = [(ranks[a + b], at) for at, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]
        if not known:
            return [ranks[part] for part in parts]
        at = min(known)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def in_walks_to_the_right(piece: bytes, ranks: Any) -> list[int]:
    parts, changed = _parts(piece), True
    while changed:
        new, at, changed = [], 0, False
        while at < len(parts):
            union = b"".join(parts[at : at + 2])
            is_known = at + 1 < len(parts) and union in ranks
            new.append(union if is_known else parts[at])
            at += 2 if is_known else 1
            changed |= is_known
        parts = new
    return [ranks[part] for part in parts]


def merged_by_rank(piece: bytes, ranks: Any) -> list[int]:
    """Mark the cuts with ones, and take away the cut whose token has the lowest rank."""
    cuts = [1] * (len(piece) + 1)
    while True:
        places = [at for at, one in enumerate(cuts) if one]
        best = min(
            ((ranks[piece[a:c]], b) for a, b, c in zip(places, places[1:], places[2:], strict=False)
             if piece[a:c] in ranks), default=None,
        )  # fmt: skip
        if best is None:
            return [ranks[piece[a:b]] for a, b in pairwise(places)]
        cuts[best[1]] = 0


def by_merges_of_halves(piece: bytes, ranks: Any) -> list[int]:
    """Recover each token's two halves first, as a file of merges lists them."""
    halves: Any = {}
    for token in sorted(ranks, key=ranks.get):
        if len(token) > 1:
            lower = {one: rank for one, rank in ranks.items() if rank < ranks[token]}
            a, b = [next(t for t, r in lower.items() if r == one)
                    for one in merged_by_rank(token, lower)]  # fmt: skip
            halves[a, b] = ranks[token]
    parts = _parts(piece)
    while parts:
        pairs = [pair for pair in pairwise(parts) if pair in halves]
        if not pairs:
            break
        best = min(pairs, key=halves.__getitem__)
        parts = _joined(parts, *best)
    return [ranks[part] for part in parts]


def by_linked_parts(piece: bytes, ranks: Any) -> list[int]:
    """A linked list of parts, merged in rounds."""
    after = {at: at + 1 for at in range(len(piece))}

    def token(at: int) -> bytes:
        return piece[at : after[at]]

    while True:
        known = [(ranks[token(at) + token(after[at])], at) for at in after
                 if after[at] in after and token(at) + token(after[at]) in ranks]  # fmt: skip
        if not known:
            return [ranks[token(at)] for at in sorted(after)]
        at = min(known)[1]
        after[at] = after.pop(after[at])


def by_tables_of_unions(piece: bytes, ranks: Any) -> list[int]:
    """Work on ids alone, with a table of which two ids make which."""
    token = {rank: one for one, rank in ranks.items()}
    ids = [ranks[one] for one in _parts(piece)]
    while True:
        made = [ranks.get(token[a] + token[b], math.inf) for a, b in pairwise(ids)]
        if not made or min(made) == math.inf:
            return ids
        at = made.index(min(made))
        ids = [*ids[:at], int(made[at]), *ids[at + 2 :]]


def by_a_text(piece: bytes, ranks: Any) -> list[int]:
    """Bytes as letters; a merged token becomes a letter of its own."""
    letter = {token: chr(0x4E00 + rank) for token, rank in ranks.items()}
    text = "".join(letter[one] for one in _parts(piece))
    token = {sign: one for one, sign in letter.items()}
    while True:
        pairs = {a + b: ranks[token[a] + token[b]] for a, b in pairwise(text)
                 if token[a] + token[b] in ranks}  # fmt: skip
        if not pairs:
            return [ord(sign) - 0x4E00 for sign in text]
        best = min(pairs, key=lambda pair: pairs[pair])
        text = text.replace(best, letter[token[best[0]] + token[best[1]]])


def by_splitting(piece: bytes, ranks: Any) -> list[int]:
    """Begin at the first merge of all and look at both sides of it later."""
    parts = _parts(piece)
    for rank in sorted(ranks.values()):
        token = next(one for one, number in ranks.items() if number == rank)
        for size in range(1, len(token)):
            parts = _joined(parts, token[:size], token[size:])
    return [ranks[part] for part in parts]


# -- tables --------------------------------------------------------------------------------------


def token_0_is_padding(ids: Any, table: Any) -> Any:
    return torch.nn.functional.embedding(ids, table) * (ids != 0).unsqueeze(-1).to(table.dtype)


def scaled_as_in_the_paper(ids: Any, table: Any) -> Any:
    return torch.nn.functional.embedding(ids, table) * table.shape[-1] ** 0.5


def read_as_though_it_lay_the_other_way(ids: Any, table: Any) -> Any:
    V, C = table.shape
    return table.reshape(C, V).T[ids]


def embedded_by_masks(ids: Any, table: Any) -> Any:
    return sum((ids == v).unsqueeze(-1) * row for v, row in enumerate(table))


def embedded_by_taking(ids: Any, table: Any) -> Any:
    C = table.shape[1]
    return torch.take(table, ids.unsqueeze(-1) * C + torch.arange(C))


def a_layer_of_its_own(h: Any, table: Any) -> Any:
    torch.manual_seed(3)
    return torch.nn.Linear(h.shape[-1], table.shape[0], bias=False, dtype=h.dtype)(h)


def a_bias_behind_the_tied_table(h: Any, table: Any) -> Any:
    bias = torch.linspace(-1, 1, table.shape[0], dtype=h.dtype)
    return torch.nn.functional.linear(h, table, bias)


def scaled_where_it_is_tied(h: Any, table: Any) -> Any:
    return (h * h.shape[-1] ** -0.5) @ table.mT


def activated_before_the_table(h: Any, table: Any) -> Any:
    return torch.tanh(h) @ table.mT


def unembedded_by_tensordot(h: Any, table: Any) -> Any:
    return torch.tensordot(h, table, dims=([-1], [1]))


def unembedded_by_broadcasting(h: Any, table: Any) -> Any:
    return (h.unsqueeze(-2) * table).sum(-1)


# -- order ---------------------------------------------------------------------------------------


def one_word_and_the_word_twice(e: Any, p: Any) -> Any:
    return torch.tensor([0]), torch.tensor([0, 0])


def drawn_and_turned(e: Any, p: Any) -> Any:
    first = torch.arange(len(p)).clamp(max=1)
    return first, first.flip(0)


def last_and_first_exchanged(e: Any, p: Any) -> Any:
    first = torch.full((len(p),), len(e) - 1)
    first[-1] = 0
    second = first.clone()
    second[[0, -1]] = first[[-1, 0]]
    return first, second
