"""Write ``next_tokens.npz``: what a small model of Shakespeare's plays expects after some lines.

Run from the repository's root, with the development requirements installed; it takes several
minutes of one core::

    python course_lib/data/train_next_tokens.py

The model is a decoder of two layers, 96 wide, with the 600 merges of ``shakespeare_merges.tsv``
as its vocabulary. It learns from the plays of the package ``shakespeare``, but for "Julius
Caesar": the lines of ``CONTEXTS`` come from there, so it has never seen them.
"""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from course_lib.data.extract_shakespeare import PLAY, play_file
from course_lib.model.decoder import Decoder
from course_lib.tokenizer.bpe import bpe_encode, ranks_from_merges
from course_lib.tokenizer.pre_tokens import gpt2_pre_tokens
from course_lib.trained.corpus import SHAKESPEARE
from course_lib.trained.next_tokens import NEXT_TOKENS
from course_lib.trained.released_tokens import load_shakespeare_merges
from course_lib.training.loop import Optimisation, train
from course_lib.training.models import draw_decoder, small_rotary
from course_lib.training.recipes import batch_loss
from course_lib.training.text import text_batch

#: The next token of each line is looked for.
CONTEXTS = (
    "Cowards die many times before their",
    "Beware the Ides of",
    "Friends, Romans, country",
    "I come to bury Caesar, not to",
)
STEPS, BATCH, LENGTH, RATE = 1200, 8, 64, 3e-3

_RANKS = ranks_from_merges(load_shakespeare_merges())


@cache
def _piece(piece: str) -> tuple[int, ...]:
    return tuple(bpe_encode(piece.encode(), _RANKS))


def encode(text: str) -> list[int]:
    """Return the ids of a text in the vocabulary of the 600 merges.

    Args:
        text: any text.

    Returns:
        Its ids.
    """
    return [one for piece in gpt2_pre_tokens(text) for one in _piece(piece)]


def plays() -> Int[Tensor, " _"]:
    """Read all plays of the package but "Julius Caesar", one after another.

    Returns:
        Their ids.
    """
    texts = [
        path.read_text(encoding="latin-1")
        for path in sorted(play_file().parent.glob("*_gut.txt"))
        if path.name != PLAY
    ]
    lines = "\n".join(texts).splitlines()
    return torch.tensor(encode("\n".join(line.rstrip() for line in lines)))


def held_out(model: Decoder) -> float:
    """Measure the loss on "Julius Caesar".

    Args:
        model: the decoder.

    Returns:
        The mean surprise over the play in passages side by side, in nats a byte.
    """
    text = SHAKESPEARE.read_text(encoding="utf-8")
    ids = torch.tensor(encode(text))
    rows = ids[: len(ids) // LENGTH * LENGTH].view(-1, LENGTH)
    with torch.no_grad():
        logits = model(rows)
    surprise = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), rows[:, 1:].flatten()
    )
    return surprise.item() * len(ids) / len(text.encode())


def main() -> None:
    """Train the model and write its logits behind each line."""
    torch.set_num_threads(1)
    ids = plays()
    print(f"{len(ids):,} tokens")
    generator = torch.Generator().manual_seed(0)
    model = draw_decoder(small_rotary(256 + 600, 2, 96, 4), generator)
    batches = (text_batch(ids, BATCH, LENGTH, generator) for _ in range(STEPS))
    optimisation = Optimisation(learning_rate=RATE, warmup_steps=100)
    losses = train(model, batches, batch_loss, STEPS, optimisation, show_progress=False)
    print(f"the last hundred steps: {sum(losses[-100:]) / 100:.3f} nats a token")
    print(f"on Julius Caesar: {held_out(model):.3f} nats a byte")
    with torch.no_grad():
        rows = [model(torch.tensor([encode(context)]))[0, -1] for context in CONTEXTS]
    np.savez_compressed(
        NEXT_TOKENS, contexts=np.array(CONTEXTS), logits=torch.stack(rows).half().numpy()
    )
    print(f"{Path(NEXT_TOKENS).name}: {NEXT_TOKENS.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
