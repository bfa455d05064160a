"""document_mask: several documents in one row, and nobody reads another's."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, Inputs, Misconception, Output, Probe
from grading.late import Tensor, late, torch

__all__ = ["DOCUMENT_MASK"]

library = late("course_lib.documents")


def _ids(name: str, ids: list[Any], *, edge: bool = False, **sizes: int) -> Probe:
    def draw(generator: torch.Generator) -> Inputs:
        return {"doc_ids": torch.tensor(ids)}

    return Probe(name=name, draw=draw, edge=edge, sizes=sizes)


def _causal(ids: Tensor) -> Tensor:
    T = ids.shape[-1]
    return torch.ones(T, T, dtype=torch.bool).tril()


def _changes(ids: Tensor) -> Tensor:
    """Return 1 where a document begins, and 0 at the very first position."""
    changes = torch.zeros_like(ids)
    changes[..., 1:] = ids[..., 1:] != ids[..., :-1]
    return changes


def _same(numbers: Tensor) -> Tensor:
    return numbers[..., :, None] == numbers[..., None, :]


def _runs(ids: Tensor) -> Tensor:
    return _changes(ids).cumsum(-1)


def _late_runs(ids: Tensor) -> Tensor:
    changes = torch.zeros_like(ids)
    changes[..., :-1] = ids[..., 1:] != ids[..., :-1]
    return changes.cumsum(-1)


def _neighbours(*, itself: bool) -> Answer:
    def document_mask(ids: Tensor) -> Tensor:
        T = ids.shape[-1]
        near = torch.ones(T, T, dtype=torch.bool).tril().triu(-1)
        near = near if itself else near & ~torch.eye(T, dtype=torch.bool)
        return _same(_runs(ids)) & near

    return document_mask


def _first_row(ids: Tensor) -> Tensor:
    row = ids.reshape(-1, ids.shape[-1])[0]
    mask = _same(_runs(row)) & _causal(row)
    return mask.expand(*ids.shape[:-1], *mask.shape)


def _walked(doc_ids: Tensor) -> Tensor:
    """Walk back from each query while the id stays the same."""
    T = doc_ids.shape[-1]
    rows = doc_ids.reshape(-1, T).tolist()
    mask = torch.zeros(len(rows), T, T, dtype=torch.bool)
    for number, row in enumerate(rows):
        for t in range(T):
            s = t
            while s >= 0 and row[s] == row[t]:
                mask[number, t, s] = True
                s -= 1
    return mask.reshape(*doc_ids.shape, T)


def _by_starts(doc_ids: Tensor) -> Tensor:
    """Let query t read what stands from its document's beginning on."""
    here = torch.arange(doc_ids.shape[-1])
    begins = torch.where(_changes(doc_ids) == 1, here, 0).cummax(-1).values
    return (here >= begins[..., None]) & (here <= here[:, None])


def _by_products(doc_ids: Tensor) -> Tensor:
    """Multiply along the way: s is read by t if nothing changes between them."""
    calm = 1 - _changes(doc_ids)
    rows = []
    for t in range(doc_ids.shape[-1]):
        back = calm[..., 1 : t + 1].flip(-1).cumprod(-1).flip(-1)
        own = torch.ones_like(doc_ids[..., :1])
        ahead = torch.zeros_like(doc_ids[..., t + 1 :])
        rows.append(torch.cat([back, own, ahead], -1))
    return torch.stack(rows, -2) == 1


DOCUMENT_MASK = Exercise(
    name="document_mask", slug="masks", task="documents", title="Several documents in a row",
    kind="implement", points=0.75, difficulty=2, importance=3, minutes=20, parameters=("doc_ids",),
    outputs=(Output(name="may_attend", axes="... T T", dtype="bool"),),
    axes={"doc_ids": "... T"},
    reference=lambda doc_ids: library.document_mask(doc_ids), equation="eq-document-mask",
    part="course_lib.documents.document_mask",
    next_rung="Count the positions of each document from 0 too, and it is read as if alone.",
    probes=(
        _ids("three documents", [4, 4, 4, 1, 1, 2], T=6),
        _ids("a batch of two rows", [[1, 1, 2, 2, 2], [3, 3, 3, 3, 0]], B=2, T=5),
        _ids("an id that comes back", [7, 7, 2, 2, 7, 7, 7], T=7),
        _ids("a batch with another axis, ids that come back",
             [[[1, 2, 1, 1], [5, 5, 5, 5]], [[0, 0, 3, 0], [2, 2, 2, 3]], [[1, 1, 1, 9]] * 2],
             B=3, H=2, T=4),
        _ids("one document", [3, 3], edge=True),
        _ids("one token", [0], edge=True),
    ),
    misconceptions=(
        Misconception(code="PACK-NOCAUSAL", wrong=lambda ids: _same(_runs(ids)), sentence=(
            "Inside a document everything is allowed, also what lies ahead. The mask is causal "
            "too.")),
        Misconception(code="PACK-POS", wrong=lambda ids: _causal(ids).expand(*ids.shape, -1),
                      sentence=(
            "The documents make no difference: it is the causal mask. Positions that start again "
            "at each document hide nothing either; a later document reads the earlier ones.")),
        Misconception(code="PACK-REUSEID", wrong=lambda ids: _same(ids) & _causal(ids), sentence=(
            "Two documents with the same id read each other. A document is a run of equal ids: one "
            "that comes back after another document is a new one.")),
        Misconception(code="PACK-ADJ", wrong=_neighbours(itself=True), also=(
            _neighbours(itself=False),), sentence=(
            "Only neighbours are compared: a token reads the one before it, and nothing further "
            "back in its own document.")),
        Misconception(code="PACK-STRICT", wrong=lambda ids: _same(_runs(ids))
                      & _causal(ids).tril(-1), sentence=(
            "A token does not read itself, so the first one of each document has nothing to "
            "read.")),
        Misconception(code="PACK-OTHERS", wrong=lambda ids: ~_same(_runs(ids)) & _causal(ids),
                      sentence=(
            "A token reads the other documents and not its own. True means that the key may be "
            "read.")),
        Misconception(code="PACK-FUTURE", wrong=lambda ids: _same(_runs(ids)) & _causal(ids).mT,
                      sentence=(
            "A token reads what comes behind it in its document. Row t belongs to the query, and "
            "the keys up to t are allowed.")),
        Misconception(code="PACK-LATE", wrong=lambda ids: _same(_late_runs(ids)) & _causal(ids),
                      sentence=(
            "A document begins one token early: the last token of one is counted with the next. "
            "The change stands at the first token whose id is new.")),
        Misconception(code="PACK-SORTED", wrong=lambda ids: (ids[..., :, None] <= ids[..., None, :])
                      & _causal(ids), sentence=(
            "The ids are compared by size. They are names; only whether two are equal counts.")),
        Misconception(code="PACK-FIRSTROW", wrong=_first_row, sentence=(
            "All rows of the batch get the mask of one of them. Each row has documents of its "
            "own.")),
    ),
    alternatives=(_walked, _by_starts, _by_products),
)  # fmt: skip
