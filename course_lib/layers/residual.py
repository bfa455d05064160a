"""Where the norm stands around the residual connection: five forms, each one line."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

__all__ = ["inner_norm", "parallel", "post_norm", "pre_norm", "sandwich_norm"]

# One half of a block, or a norm: token vectors in, token vectors out.
Sublayer = Callable[[Float[Tensor, "*batch T C"]], Float[Tensor, "*batch T C"]]


def pre_norm(
    x: Float[Tensor, "*batch T C"], sublayer: Sublayer, norm: Sublayer
) -> Float[Tensor, "*batch T C"]:
    r"""Normalise what the sublayer reads; the residual stream itself is never normalised.

    .. math:: y = x + f(\mathrm{norm}(x))

    Args:
        x: the residual stream, one vector per position.
        sublayer: f, attention or a feed-forward network.
        norm: the norm before it.

    Returns:
        The residual stream after the sublayer.

    Source: Xiong et al. 2020 (arXiv:2002.04745), fig. 1b; GPT-2, Llama.
    """
    return x + sublayer(norm(x))


def post_norm(
    x: Float[Tensor, "*batch T C"], sublayer: Sublayer, norm: Sublayer
) -> Float[Tensor, "*batch T C"]:
    r"""Normalise the sum.

    .. math:: y = \mathrm{norm}(x + f(x))

    Args:
        x: the residual stream, one vector per position.
        sublayer: f, attention or a feed-forward network.
        norm: the norm after the sum.

    Returns:
        The residual stream after the sublayer, normalised.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.1; BERT.
    """
    return norm(x + sublayer(x))


def inner_norm(
    x: Float[Tensor, "*batch T C"], sublayer: Sublayer, norm: Sublayer
) -> Float[Tensor, "*batch T C"]:
    r"""Normalise what the sublayer writes, before it is added.

    .. math:: y = x + \mathrm{norm}(f(x))

    Args:
        x: the residual stream, one vector per position.
        sublayer: f, attention or a feed-forward network.
        norm: the norm on its result.

    Returns:
        The residual stream after the sublayer.

    Source: OLMo 2 (arXiv:2501.00656), sec. 3.3, where it is called reordered norm. It stands after
    the sublayer but inside the residual, so it is not Vaswani's post-norm.
    """
    return x + norm(sublayer(x))


def sandwich_norm(
    x: Float[Tensor, "*batch T C"], sublayer: Sublayer, norm_before: Sublayer, norm_after: Sublayer
) -> Float[Tensor, "*batch T C"]:
    r"""Normalise what the sublayer reads and what it writes.

    .. math:: y = x + \mathrm{norm}_2(f(\mathrm{norm}_1(x)))

    Args:
        x: the residual stream, one vector per position.
        sublayer: f, attention or a feed-forward network.
        norm_before: the norm on what it reads.
        norm_after: the norm on what it writes.

    Returns:
        The residual stream after the sublayer.

    Source: Ding et al. 2021 (arXiv:2105.13290), sec. 2.4; Gemma 2 (arXiv:2408.00118) and Gemma 3.
    """
    return x + norm_after(sublayer(norm_before(x)))


def parallel(
    x: Float[Tensor, "*batch T C"], attention: Sublayer, feed_forward: Sublayer, norm: Sublayer
) -> Float[Tensor, "*batch T C"]:
    r"""Let attention and feed-forward network read the same vectors, and add both.

    .. math:: y = x + f(n) + g(n), \qquad n = \mathrm{norm}(x)

    Args:
        x: the residual stream, one vector per position.
        attention: f.
        feed_forward: g; it does not see what the attention of this block found.
        norm: the one norm before both.

    Returns:
        The residual stream after the block.

    Source: GPT-J (Wang and Komatsuzaki 2021); Falcon 7B (arXiv:2311.16867).
    """
    normalised = norm(x)
    return x + attention(normalised) + feed_forward(normalised)
