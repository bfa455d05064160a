"""Several documents in one row: who may read whom, and where each token stands in its own."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from course_lib.kinds import require_integers
from course_lib.masks import causal_mask
from course_lib.shapes import require_axes

__all__ = ["document_mask", "document_positions"]


def document_mask(doc_ids: Int[Tensor, "*batch T"]) -> Bool[Tensor, "*batch T T"]:
    r"""No query reads a later position, or another document of its row.

    With r_t the number of changes of the id up to position t:

    .. math:: M_{ts} = [\, s \le t \,] \land [\, r_s = r_t \,]

    Args:
        doc_ids: the document that each token belongs to. A document is a run of equal ids: an id
            that comes back after another one begins a new document.

    Returns:
        True where query t may read key s. Every token reads itself, so no row is empty. One
        document in the row is ``causal_mask``. Scores with heads, B H T T, need
        ``document_mask(doc_ids)[:, None]``.

    Raises:
        ValueError: if doc_ids has no axis, or holds numbers that are no integers.

    Source: Krell et al. 2021 (arXiv:2107.02027), sec. 3.2.1, where it is not causal.

    >>> document_mask(torch.tensor([7, 7, 2])).int()
    tensor([[1, 0, 0],
            [1, 1, 0],
            [0, 0, 1]], dtype=torch.int32)
    """
    run = _runs(doc_ids)
    same = run.unsqueeze(-1) == run.unsqueeze(-2)
    return same & causal_mask(run.shape[-1], device=run.device)


def document_positions(doc_ids: Int[Tensor, "*batch T"]) -> Int[Tensor, "*batch T"]:
    r"""Count each token's position in its own document, from 0.

    .. math:: p_t = t - \min \{\, s \mid r_s = r_t \,\}

    Args:
        doc_ids: the document that each token belongs to, as in ``document_mask``.

    Returns:
        The positions. With them a row of several documents gives each token what its document
        gives it alone: the mask hides the other documents, but not how far they push it.

    Raises:
        ValueError: if doc_ids has no axis, or holds numbers that are no integers.

    Source: Krell et al. 2021 (arXiv:2107.02027), sec. 3.2.1.

    >>> document_positions(torch.tensor([7, 7, 2, 7]))
    tensor([0, 1, 0, 0])
    """
    run = _runs(doc_ids)
    here = torch.arange(run.shape[-1], device=run.device)
    begins = torch.ones_like(run, dtype=torch.bool)
    begins[..., 1:] = run[..., 1:] != run[..., :-1]
    first = torch.where(begins, here, 0).cummax(-1).values
    return here - first


def _runs(doc_ids: Tensor) -> Tensor:
    """Number the runs of equal ids: r_t, from 0."""
    require_integers(doc_ids=doc_ids)
    require_axes("doc_ids", doc_ids, "*batch T")
    changes = torch.zeros(doc_ids.shape, dtype=torch.int64, device=doc_ids.device)
    changes[..., 1:] = doc_ids[..., 1:] != doc_ids[..., :-1]
    return changes.cumsum(-1)
