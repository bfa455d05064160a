"""The gradient of one large batch, from smaller ones that are read one after another."""

from collections.abc import Sequence

from jaxtyping import Int
from torch import Tensor, nn

from course_lib.kinds import require_integers
from course_lib.shapes import require_axes
from course_lib.sizes import require_whole
from course_lib.training.batch import Batch
from course_lib.training.loss import IGNORE, lm_loss

__all__ = ["accumulate_gradients", "num_predicted"]


def num_predicted(tokens: Int[Tensor, "B T"], ignore: int = IGNORE) -> int:
    r"""Count the tokens over which ``lm_loss`` takes the mean.

    .. math:: n = |\{(b,t) : t \ge 1,\ x_{bt} \ne \text{ignore}\}|

    Args:
        tokens: x, the sequences; the first token of each is given, never predicted.
        ignore: the id of tokens that are not counted.

    Returns:
        Their number; 0 where nothing is asked for.

    Raises:
        ValueError: if tokens are no integers B T, or ignore is none.

    Source: what transformers' trainer calls ``num_items_in_batch``.
    """
    require_integers(tokens=tokens)
    require_axes("tokens", tokens, "B T")
    require_whole(ignore=ignore)
    return int((tokens[:, 1:] != ignore).sum())


def accumulate_gradients(model: nn.Module, batches: Sequence[Batch]) -> float:
    r"""Add the gradient of the loss over several batches, with the memory of one.

    Each token has the same weight, whichever batch it is in. So a batch's loss, a mean over its own
    tokens, enters by its share of all tokens:

    .. math:: \mathcal L = \sum_i \frac{n_i}{n} \mathcal L_i, \qquad n = \sum_i n_i

    The mean of the means is another number: there the tokens of a short batch weigh more.

    Args:
        model: a module that returns logits; its parameters' gradients are added to.
        batches: what one step of the optimiser learns from; they may differ in all sizes.

    Returns:
        The loss: that of one batch in which all their sequences stand.

    Raises:
        ValueError: if no batch asks for a token, or as ``lm_loss``.

    Source: ``lm_loss`` over all tokens at once. transformers and torchtune averaged the batches'
    means until October 2024 (huggingface/transformers#34191, meta-pytorch/torchtune#1875).
    Cost: one forward and backward pass a batch; of each, nothing is kept but the gradient.
    """
    counts = [num_predicted(batch.targets) for batch in batches]
    total = sum(counts)
    if total == 0:
        raise ValueError(
            "a mean needs at least one token that is counted, in one of the batches; "
            f"of {sum(batch.targets.numel() for batch in batches)} tokens in {len(batches)} "
            "batches, 0 are counted"
        )
    loss = 0.0
    for batch, count in zip(batches, counts, strict=True):
        if count:  # a batch without a question has no mean, and no part in the gradient
            share = lm_loss(model(*batch.inputs), batch.targets) * (count / total)
            share.backward()  # type: ignore[no-untyped-call]
            loss += share.item()
    return loss
