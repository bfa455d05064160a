"""How many parameters GPT-3 has with so many layers: twelve are not enough."""

from course_lib.sizes import require_positive

__all__ = ["count_gpt3"]

#: Brown et al. 2020 (arXiv:2005.14165), table 2.1; the vocabulary is GPT-2's, sec. 2.1.
D_MODEL, CONTEXT_LENGTH, VOCAB_SIZE = 12288, 2048, 50257


def count_gpt3(layers: int) -> int:
    r"""Count the parameters of a GPT-3 that is so many layers deep.

    .. math:: L\, (\underbrace{4 C^2 + 4 C}_{\text{attention}} +
        \underbrace{8 C^2 + 5 C}_{\text{feed-forward}} + \underbrace{4 C}_{\text{two norms}})
        + \underbrace{(V + S)\, C}_{\text{tokens, positions}} + \underbrace{2 C}_{\text{last norm}}

    with C = 12,288, V = 50,257, S = 2,048 positions, and H D = C whatever the number of heads.

    Args:
        layers: L of them. The released model has 96; its smallest relative has 12, and C = 768.

    Returns:
        The number of parameters. The table of tokens is also the one of the logits, and counts
        once.

    Raises:
        ValueError: if layers is below 1, or no whole number.

    Source: Brown et al. 2020 (arXiv:2005.14165), table 2.1. Its table D.1 gives 174,600 million,
    which is this count for 96 layers; "175B" is what it rounds to.

    >>> count_gpt3(96)
    174604259328
    """
    require_positive(layers=layers)
    C = D_MODEL
    attention = 4 * C * C + 4 * C
    feed_forward = 2 * C * 4 * C + 4 * C + C
    two_norms = 2 * 2 * C
    tables = (VOCAB_SIZE + CONTEXT_LENGTH) * C
    return layers * (attention + feed_forward + two_norms) + tables + 2 * C
