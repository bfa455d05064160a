"""Train the two models of ``course_lib.trained.speeches`` and write their arrays.

Run from the repository's root (half a minute of one core for each)::

    python course_lib/data/train_speeches.py

They learn from acts 1, 2, 4 and 5; act 3 is kept for measuring. Another processor or another
release of PyTorch adds in another order, so the digits of a second run differ, and the losses do
not by more than a few hundredths.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib.documents import document_mask, document_positions
from course_lib.trained.speeches import (
    CHARACTERS,
    LONGEST,
    PEEKING,
    WRITER,
    SpeechModel,
    speech_logits,
    speeches,
)

C, D, L, STEPS, BATCH, RATE = 48, 24, 2, 700, 16, 6e-3
FILLING = -1


def packed(documents: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Put documents into rows of LONGEST, one after another; return characters and documents."""
    rows: list[list[tuple[int, Tensor]]] = [[]]
    for number, document in enumerate(documents):
        if sum(len(one) for _, one in rows[-1]) + len(document) > LONGEST:
            rows.append([])
        rows[-1].append((number, document))
    ids = torch.zeros(len(rows), LONGEST, dtype=torch.int64)
    doc_ids = torch.full_like(ids, FILLING)
    for r, row in enumerate(rows):
        end = 0
        for number, document in row:
            ids[r, end : end + len(document)] = document
            doc_ids[r, end : end + len(document)] = number
            end += len(document)
    return ids, doc_ids


def started(generator: torch.Generator) -> dict[str, Tensor]:
    """Draw the parameters that training begins with."""
    sizes = {
        "table": ((len(CHARACTERS), C), 0.3),
        "places": ((LONGEST, C), 0.1),
        "w_q": ((L, C, D), C**-0.5),
        "w_k": ((L, C, D), C**-0.5),
        "w_v": ((L, C, C), C**-0.5 / 2),
        "w_out": ((C, len(CHARACTERS)), 0.1),
    }
    return {
        name: (spread * torch.randn(size, generator=generator)).requires_grad_()
        for name, (size, spread) in sizes.items()
    }


def train(*, peeking: bool) -> dict[str, Tensor]:
    """Train a model on packed speeches, with a causal mask or with one that shows what comes."""
    generator = torch.Generator().manual_seed(0)
    ids, doc_ids = packed([one for act in (1, 2, 4, 5) for one in speeches(act)])
    positions, may_attend = document_positions(doc_ids), document_mask(doc_ids)
    if peeking:
        may_attend = may_attend | may_attend.mT
    # The last character of a speech foretells nothing.
    foretold = (doc_ids[:, 1:] == doc_ids[:, :-1]) & (doc_ids[:, 1:] != FILLING)
    parameters = started(generator)
    optimiser = torch.optim.Adam(parameters.values())
    for step in range(STEPS):
        rate = RATE * min(1, (step + 1) / 30) * (1 - step / STEPS)
        for group in optimiser.param_groups:
            group["lr"] = rate
        rows = torch.randint(len(ids), (BATCH,), generator=generator)
        model = SpeechModel(**parameters)
        logits = speech_logits(model, ids[rows], positions[rows], may_attend[rows])
        chosen = foretold[rows]
        loss = torch.nn.functional.cross_entropy(logits[:, :-1][chosen], ids[rows, 1:][chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    print(f"peeking {peeking}: the last batch had a loss of {loss.item():.2f}")
    return {name: parameter.detach() for name, parameter in parameters.items()}


def write(path: Path, parameters: dict[str, Tensor]) -> None:
    """Write the parameters in float16: half the bytes, and the same losses to three digits."""
    arrays: dict[str, Any] = {name: one.half().numpy() for name, one in parameters.items()}
    np.savez_compressed(path, **arrays)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    write(WRITER, train(peeking=False))
    write(PEEKING, train(peeking=True))
