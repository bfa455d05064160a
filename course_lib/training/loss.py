"""The loss of a language model, and how often its first choice is right."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.generation.logits import require_choice
from course_lib.kinds import require_floats, require_integers, require_same_device
from course_lib.precision import at_least_float32
from course_lib.sizes import require_whole
from course_lib.softmax import log_softmax

__all__ = ["IGNORE", "lm_loss", "token_accuracy"]

#: The id of a token that is not asked for: no vocabulary has it. PyTorch's default as well.
IGNORE = -100


def lm_loss(
    logits: Float[Tensor, "B T V"], tokens: Int[Tensor, "B T"], ignore: int = IGNORE
) -> Float[Tensor, ""]:
    r"""Mean surprise, in nats, at the tokens: each is predicted from the position before it.

    .. math:: \mathcal L = -\frac{1}{|\mathcal C|} \sum_{(b,t) \in \mathcal C}
        \log \mathrm{softmax}(z_{b,\,t-1})_{x_{bt}}, \qquad
        \mathcal C = \{(b,t) : t \ge 1,\ x_{bt} \ne \text{ignore}\}

    Args:
        logits: z; row t holds the logits of token t + 1; the last row is not used.
        tokens: x, the sequences; the first token of each is given, never predicted.
        ignore: the id of tokens that are not counted, for example padding.

    Returns:
        The mean over all counted tokens of the batch, each with the same weight, in the dtype of
        the logits; half precision is computed in float32 and rounded once. About ln V for a model
        that has learned nothing. Plus infinity if a counted token has the logit minus infinity;
        NaN if one of its row's logits is NaN or plus infinity.

    Raises:
        ValueError: if tokens are no integers, if there is not one row of logits per token, if a
            counted token is no entry of
            the vocabulary, or if no token is counted.

    Source: Bengio et al. 2003, sec. 2; the shift is that of Radford et al. 2019 (GPT-2).
    Cost: O(B T V) memory, for the logarithms of all weights, in float32 at least.
    """
    rows, following, counted = _predictions(logits, tokens, ignore)
    chosen = following.masked_fill(~counted, 0).unsqueeze(-1)
    surprise = -log_softmax(at_least_float32(rows)).gather(-1, chosen).squeeze(-1)
    return surprise[counted].mean().to(logits.dtype)


def token_accuracy(
    logits: Float[Tensor, "B T V"], tokens: Int[Tensor, "B T"], ignore: int = IGNORE
) -> float:
    r"""Count how often the largest logit is that of the token which follows.

    .. math:: \frac{1}{|\mathcal C|} \sum_{(b,t) \in \mathcal C}
        \big[\arg\max_v z_{b,\,t-1,\,v} = x_{bt}\big]

    Args:
        logits: z; row t holds the logits of token t + 1.
        tokens: x, the sequences.
        ignore: the id of tokens that are not counted.

    Returns:
        The share of counted tokens, from 0 to 1: of tokens, not of sequences without a fault. Of
        equal logits the one with the lowest id is the largest.

    Raises:
        ValueError: as ``lm_loss``, or if a counted token's logits have no largest one: a NaN, or
            an infinity.
    """
    rows, following, counted = _predictions(logits, tokens, ignore)
    require_choice(rows[counted])
    return (rows.argmax(-1) == following)[counted].double().mean().item()


def _predictions(
    logits: Tensor, tokens: Tensor, ignore: int
) -> tuple[Float[Tensor, "B T V"], Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """Pair the rows of logits with the tokens that they foretell, and say which are counted."""
    require_floats(logits=logits)
    require_integers(tokens=tokens)
    require_same_device(logits=logits, tokens=tokens)
    require_whole(ignore=ignore)
    if logits.ndim != 3 or logits.shape[:2] != tokens.shape:
        raise ValueError(
            "every token has one row of logits, B x T of both; "
            f"there are {logits.shape[:-1].numel()} rows and {tokens.numel()} tokens; "
            f"shapes {tuple(logits.shape)} and {tuple(tokens.shape)}"
        )
    vocab_size = logits.shape[-1]
    following = tokens[:, 1:]
    counted = following != ignore
    wrong = following[counted & ((following < 0) | (following >= vocab_size))]
    if wrong.numel():
        raise ValueError(
            "a counted token is an id from 0 to V - 1; "
            f"V is {vocab_size} and a token is {wrong[0].item()}, with ignore = {ignore}; "
            f"shapes {tuple(logits.shape)} and {tuple(tokens.shape)}"
        )
    if not counted.any():
        raise ValueError(
            "a mean needs at least one token that is counted; the first of each sequence never is; "
            f"of {tokens.numel()} tokens, 0 are counted, with ignore = {ignore}; "
            f"shape {tuple(tokens.shape)}"
        )
    return logits[:, :-1], following, counted
