"""Personal data in a text: found by a model that labels tokens, and hidden."""

from collections.abc import Sequence

import torch

from course_lib.labelling.best_path import best_path
from course_lib.labelling.spans import Span, character_ranges, span_rules, token_spans
from course_lib.model.classifier import TokenClassifier
from course_lib.tokenizer.vocabulary import Tokenizer

__all__ = ["find_personal_data", "hide"]


def find_personal_data(
    model: TokenClassifier, tokenizer: Tokenizer, text: str, labels: Sequence[str]
) -> list[Span]:
    r"""Label the tokens of a text, and say which characters are personal data, and of which kind.

    .. math:: y = \operatorname{best\_path}(\mathrm{model}(\text{ids})), \qquad
        \text{tokens } y \to \text{spans of characters}

    Args:
        model: privacy-filter, or one like it; it is only read.
        tokenizer: privacy-filter's has o200k's ranks, ``o200k_harmony_tokenizer``.
        text: any text; it is read as a whole.
        labels: what the model's labels mean, such as ``PRIVACY_FILTER_LABELS``.

    Returns:
        The spans in order, in characters. None begins or ends with a space, and no two overlap.

    Raises:
        ValueError: if the model has not one logit per label, or a label is none of ``span_rules``.

    Source: openai/privacy-filter, which decodes by a constrained Viterbi path and leaves spaces out
    of its spans. Not verified here: what the released weights find.
    Cost: that of the model, which holds H T² scores of a layer at once.
    """
    num_labels = model.config.num_labels
    if len(labels) != num_labels:
        raise ValueError(
            "each logit is of a label; the model has "
            f"num_labels = {num_labels} and {len(labels)} labels came"
        )
    rules = span_rules(labels)
    ids = tokenizer.encode(text)
    if not ids:
        return []
    with torch.no_grad():
        logits = model(torch.tensor([ids], device=model.embedding.device))[0]
    path = best_path(logits.cpu(), rules).tolist()
    ranges = character_ranges(tokenizer, ids)
    found: list[Span] = []
    for span in token_spans([labels[label] for label in path]):
        start, end = ranges[span.start][0], ranges[span.end - 1][1]
        start = max(start, found[-1].end if found else 0)  # a character that two tokens share
        inner = text[start:end]
        start, end = end - len(inner.lstrip()), start + len(inner.rstrip())
        if start < end:
            found.append(Span(kind=span.kind, start=start, end=end))
    return found


def hide(text: str, spans: Sequence[Span]) -> str:
    """Put the name of its kind in the place of each span.

    Args:
        text: what the spans are of.
        spans: in order, in characters, such as those of ``find_personal_data``.

    Returns:
        The text, with "[private_person]" instead of a name.

    Raises:
        ValueError: if two spans overlap, are out of order, or one ends behind the text.

    >>> hide("Call Ann.", [Span(kind="private_person", start=5, end=8)])
    'Call [private_person].'
    """
    pieces, done = [], 0
    for span in spans:
        if span.start < done or span.end > len(text):
            raise ValueError(
                "spans stand one behind the other in their text; one is from "
                f"{span.start} to {span.end}, after {done} of {len(text)} characters"
            )
        pieces += [text[done : span.start], f"[{span.kind}]"]
        done = span.end
    return "".join([*pieces, text[done:]])
