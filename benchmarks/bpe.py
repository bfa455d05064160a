"""How fast does byte-pair encoding go? Ours beside tiktoken and Hugging Face's tokenizers.

Each of the three encodes the same play with the same ranks, in a process and on a thread of its
own; the ids must be equal. What is counted is CPU time, the median of several rounds, without the
reading of files. Hugging Face's tokenizers remember pieces from earlier rounds, ours remembers them
within a call, tiktoken not at all.

Run from the repository's root, with the development requirements and vocabularies installed::

    python -m benchmarks.bpe
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

from benchmarks.benchmark import Benchmark, Measured
from benchmarks.measure import ROOT, Bar, Section, cpu_seconds, in_own_process, markdown

RANKS = ROOT / ".venv" / "vocabularies"
VOCABULARIES = ("r50k_base", "o200k_harmony")
IMPLEMENTATIONS = ("ours", "tiktoken", "tokenizers")

Encode = Callable[[str], list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement.

    Attributes:
        implementation: whose code.
        vocabulary: whose ranks.
        tokens: tokens of the play.
        seconds: CPU seconds for the play.
        checksum: of the ids; equal ids have equal ones.
    """

    implementation: str
    vocabulary: str
    tokens: int
    seconds: float
    checksum: int

    @property
    def tokens_per_second(self) -> float:
        """How fast."""
        return self.tokens / self.seconds


def ours(vocabulary: str) -> Encode:
    """Return the library's encoder."""
    from course_lib.tokenizer.vocabulary import gpt2_tokenizer, o200k_harmony_tokenizer

    if vocabulary == "r50k_base":
        return gpt2_tokenizer(RANKS / "r50k_base.tiktoken").encode
    return o200k_harmony_tokenizer(RANKS / "o200k_base.tiktoken").encode


def tiktoken(vocabulary: str) -> Encode:
    """Return tiktoken's encoder."""
    import tiktoken

    os.environ["TIKTOKEN_CACHE_DIR"] = str(RANKS / "tiktoken")
    return tiktoken.get_encoding(vocabulary).encode_ordinary


def tokenizers(vocabulary: str) -> Encode:
    """Return Hugging Face's encoder, put together from the same ranks."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    from course_lib.tokenizer.bpe import BYTE_RANKS, merges_from_ranks
    from course_lib.tokenizer.pre_tokens import GPT2_PATTERN, O200K_PATTERN
    from course_lib.tokenizer.vocabulary import load_ranks

    is_gpt2 = vocabulary == "r50k_base"
    ranks = load_ranks(RANKS / ("r50k_base.tiktoken" if is_gpt2 else "o200k_base.tiktoken"))
    letters = dict(zip(BYTE_RANKS, sorted(pre_tokenizers.ByteLevel.alphabet()), strict=True))

    def written(token: bytes) -> str:
        return "".join(letters[bytes([byte])] for byte in token)

    tokenizer = Tokenizer(
        models.BPE(
            vocab={written(token): rank for token, rank in ranks.items()},
            merges=[(written(left), written(right)) for left, right in merges_from_ranks(ranks)],
        )
    )
    pattern = Regex(GPT2_PATTERN if is_gpt2 else O200K_PATTERN)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pattern, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return lambda text: tokenizer.encode(text).ids


def measure_here(implementation: str, vocabulary: str) -> Row:
    """Measure one implementation in this process."""
    from course_lib.trained.corpus import SHAKESPEARE

    makers = {"ours": ours, "tiktoken": tiktoken, "tokenizers": tokenizers}
    encode = makers[implementation](vocabulary)
    text = SHAKESPEARE.read_text(encoding="utf-8")
    ids = encode(text)
    return Row(
        implementation=implementation,
        vocabulary=vocabulary,
        tokens=len(ids),
        seconds=cpu_seconds(lambda: encode(text), seconds=3.0),
        checksum=hash(tuple(ids)),
    )


def rows() -> list[Row]:
    """Measure all three with both vocabularies.

    Returns:
        Six rows; of one vocabulary all have the same ids.
    """
    measured = []
    for vocabulary in VOCABULARIES:
        group = [
            Row(**in_own_process("benchmarks.bpe", implementation, vocabulary))
            for implementation in IMPLEMENTATIONS
        ]
        if len({(row.tokens, row.checksum) for row in group}) > 1:
            raise ValueError(f"the ids of {vocabulary} must be equal; {group}")
        measured += group
    return measured


def table(measured: list[Row]) -> str:
    """Set the rows as a Markdown table.

    Args:
        measured: the rows; the first of each vocabulary is ours.

    Returns:
        The table: tokens per CPU second, and how many times faster than ours.
    """
    lines = [
        [
            row.vocabulary,
            row.implementation,
            f"{row.tokens:,}",
            f"{row.tokens_per_second:,.0f}",
            f"{times_ours(measured, row):.1f}",
        ]
        for row in measured
    ]
    header = ["vocabulary", "code", "tokens", "tokens per CPU s", "times ours"]
    return markdown(header, lines, words=2)


def times_ours(measured: list[Row], row: Row) -> float:
    """Return how many times faster a row is than ours with the same vocabulary."""
    own = {row.vocabulary: row.seconds for row in measured if row.implementation == "ours"}
    return own[row.vocabulary] / row.seconds


def section(measured: list[Row]) -> Section:
    """Tell by how much ours loses."""
    losses = [
        f"{times_ours(measured, row):.1f} times to {row.implementation} on {row.vocabulary}"
        for row in measured
        if row.implementation != "ours"
    ]
    text = (
        "One play of Shakespeare, the same ranks, equal ids. Ours is written in Python, for "
        f"reading, and loses: {', '.join(losses)}."
    )
    equal = Bar(
        claim="the ids are those of tiktoken and tokenizers",
        measured=" and ".join(f"{tokens:,}" for tokens in sorted({row.tokens for row in measured}))
        + " equal ids",
        holds=True,
    )
    return Section(title="Byte-pair encoding", text=text, table=table(measured), bars=(equal,))


def measure() -> Measured:
    """Measure everything, as JSON keeps it."""
    return {"rows": [asdict(row) for row in rows()]}


def tell(measured: Measured) -> tuple[Section, ...]:
    """Set the section of the page."""
    return (section([Row(**row) for row in measured["rows"]]),)


BENCHMARK = Benchmark(name="bpe", minutes=1.0, measure=measure, tell=tell)

if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(asdict(measure_here(*sys.argv[1:]))))
    else:
        print(table(rows()))
