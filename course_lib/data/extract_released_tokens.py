"""Write ``released_tokens.json`` and ``*_part.tiktoken``: some texts in two released vocabularies.

Run from the repository's root, with the development requirements installed and the ranks fetched
(``.ci/vocabularies.py``)::

    python course_lib/data/extract_released_tokens.py

The ids are tiktoken's. A vocabulary has 1 to 4 MB, so only a part of its ranks is written: the 256
bytes, and every token that two neighbours could form at any step while these texts are encoded.
With that part the texts have the same ids as with all ranks; another text may not. A third file,
``shakespeare_merges.tsv``, holds what Hugging Face's trainer learns from the play.
"""

# ruff: noqa: RUF001 (Chinese signs look like others)

import base64
import json
import os
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import regex

from course_lib.tokenizer.bpe import BYTE_RANKS
from course_lib.tokenizer.pre_tokens import gpt2_pre_tokens, o200k_pre_tokens
from course_lib.tokenizer.vocabulary import load_ranks
from course_lib.trained.corpus import SHAKESPEARE
from course_lib.trained.released_tokens import FOLDER, MERGES, PARTS, TEXTS

RANKS = Path(__file__).resolve().parents[2] / ".venv" / "vocabularies"
NUM_MERGES = 600
#: Name here -> tiktoken's name, the file of the ranks, how a text is cut.
SOURCES: dict[str, tuple[str, str, Callable[[str], list[str]]]] = {
    "gpt2": ("r50k_base", "r50k_base.tiktoken", gpt2_pre_tokens),
    "o200k_harmony": ("o200k_harmony", "o200k_base.tiktoken", o200k_pre_tokens),
}
#: The English and the Chinese version of eight articles of the Universal Declaration of Human
#: Rights (United Nations, 1948).
ARTICLES = {
    1: (
        "All human beings are born free and equal in dignity and rights. They are endowed with "
        "reason and conscience and should act towards one another in a spirit of brotherhood.",
        "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
    ),
    3: (
        "Everyone has the right to life, liberty and security of person.",
        "人人有权享有生命、自由和人身安全。",
    ),
    4: (
        "No one shall be held in slavery or servitude; slavery and the slave trade shall be "
        "prohibited in all their forms.",
        "任何人不得使为奴隶或奴役；一切形式的奴隶制度和奴隶买卖，均应予以禁止。",
    ),
    5: (
        "No one shall be subjected to torture or to cruel, inhuman or degrading treatment or "
        "punishment.",
        "任何人不得加以酷刑，或施以残忍的、不人道的或侮辱性的待遇或刑罚。",
    ),
    6: (
        "Everyone has the right to recognition everywhere as a person before the law.",
        "人人在任何地方有权被承认在法律前的人格。",
    ),
    7: (
        "All are equal before the law and are entitled without any discrimination to equal "
        "protection of the law. All are entitled to equal protection against any discrimination "
        "in violation of this Declaration and against any incitement to such discrimination.",
        "法律之前人人平等，并有权享受法律的平等保护，不受任何歧视。人人有权享受平等保护，"
        "以免受违反本宣言的任何歧视行为以及煽动这种歧视的任何行为之害。",
    ),
    8: (
        "Everyone has the right to an effective remedy by the competent national tribunals for "
        "acts violating the fundamental rights granted him by the constitution or by law.",
        "任何人当宪法或法律所赋予他的基本权利遭受侵害时，有权由合格的国家法庭对这种侵害行为作"
        "有效的补救。",
    ),
    9: (
        "No one shall be subjected to arbitrary arrest, detention or exile.",
        "任何人不得加以任意逮捕、拘禁或放逐。",
    ),
}
CHOSEN = {
    "English": "To be, or not to be: that is the question.",
    "Chinese": "注意力机制让每个词读取整个句子。",
    "code": "def attend(query, key):\n    return query @ key.T  # scores\n",
    "emoji": "Well done 👍🏽🎉 says the family 👨\u200d👩\u200d👧\u200d👦!",
    "berry": "strawberry",
    " berry": " strawberry",
    "digits": "1234567 + 89 = 1234656",
    "the": "The the THE",
    "end": "<|endoftext|>",
}


def all_texts() -> dict[str, str]:
    """Return the texts by name; those of the articles are "English 1" and "Chinese 1"."""
    texts = dict(CHOSEN)
    for number, pair in ARTICLES.items():
        texts |= {f"{name} {number}": text
                  for name, text in zip(("English", "Chinese"), pair, strict=True)}  # fmt: skip
    return texts


def ranks_met(piece: bytes, ranks: Mapping[bytes, int]) -> set[bytes]:
    """Return the tokens that neighbours could form at any step while a piece is encoded."""
    parts, met = [bytes([byte]) for byte in piece], set()
    while True:
        unions = [left + right for left, right in pairwise(parts)]
        known = [(ranks[union], start) for start, union in enumerate(unions) if union in ranks]
        met |= {unions[start] for _, start in known}
        if not known:
            return met
        start = min(known)[1]
        parts[start : start + 2] = [unions[start]]


def kinds_of_tokens(ranks: Mapping[bytes, int]) -> dict[str, int]:
    """Count a vocabulary's tokens by what they hold."""
    texts, broken = [], 0
    for token in ranks:
        try:
            texts.append(token.decode())
        except UnicodeDecodeError:
            broken += 1
    return {
        "all": len(ranks),
        "not whole characters": broken,
        "with a Latin letter": sum(bool(regex.search(r"\p{Latin}", text)) for text in texts),
        "with a Chinese character": sum(bool(regex.search(r"\p{Han}", text)) for text in texts),
        "one Chinese character": sum(bool(regex.fullmatch(r"\p{Han}", text)) for text in texts),
    }


def extract(name: str) -> tuple[dict[str, Any], dict[bytes, int]]:
    """Return tiktoken's ids of all texts, counts of the vocabulary, and a part of its ranks."""
    os.environ["TIKTOKEN_CACHE_DIR"] = str(RANKS / "tiktoken")
    import tiktoken

    theirs, file, pre_tokens = SOURCES[name]
    encoding, ranks = tiktoken.get_encoding(theirs), load_ranks(RANKS / file)
    kept, ids = set(BYTE_RANKS), {}
    for title, text in all_texts().items():
        ids[title] = encoding.encode_ordinary(text)
        for piece in pre_tokens(text):
            kept |= ranks_met(piece.encode(), ranks)
    part = {token: ranks[token] for token in sorted(kept, key=ranks.__getitem__)}
    return {"ids": ids, "vocab_size": encoding.n_vocab, "tokens": kinds_of_tokens(ranks)}, part


def trained_elsewhere() -> list[tuple[bytes, bytes]]:
    """Return the merges that Hugging Face's trainer learns from the play."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    byte_of = dict(zip(sorted(alphabet), BYTE_RANKS, strict=True))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=256 + NUM_MERGES, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([SHAKESPEARE.read_text(encoding="utf-8")], trainer)
    pairs = json.loads(tokenizer.to_str())["model"]["merges"]
    joined = [[b"".join(byte_of[c] for c in part) for part in pair] for pair in pairs]
    return [(left, right) for left, right in joined]


def written(part: Mapping[bytes, int]) -> bytes:
    """Return ranks in the form of a ``.tiktoken`` file."""
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in part.items()]
    return "".join(lines).encode()


def files() -> dict[Path, bytes]:
    """Return what each of the committed files holds."""
    found, parts = {}, {}
    for name, path in PARTS.items():
        found[name], parts[path] = extract(name)
    held = {"texts": all_texts(), "vocabularies": found}
    text = json.dumps(held, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    lines = [f"{left.hex()}\t{right.hex()}\n" for left, right in trained_elsewhere()]
    return {
        TEXTS: (text.replace('},"', '},\n"').replace('],"', '],\n"') + "\n").encode(),
        MERGES: "".join(lines).encode(),
    } | {path: written(part) for path, part in parts.items()}


if __name__ == "__main__":
    for path, data in files().items():
        path.write_bytes(data)
        print(f"{path.relative_to(FOLDER.parent)}: {len(data):,} bytes")
