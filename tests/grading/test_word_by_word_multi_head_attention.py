"""Answers on multi-head attention that are right but for one word of the contract: all refused."""

from typing import Any

import pytest
import torch

from grading import check
from grading.exercises.multi_head_attention import EXERCISES

pytestmark = pytest.mark.filterwarnings("ignore")
SDPA = torch.nn.functional.scaled_dot_product_attention


def split(x: Any, H: int) -> Any:
    return x.unflatten(-1, (H, x.shape[-1] // H)).transpose(-3, -2)


def merge(x: Any) -> Any:
    return x.transpose(-3, -2).flatten(-2)


def cross(
    x: Any, context: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, H: int, may_attend: Any = None
) -> Any:
    may = may_attend
    if may is not None and may.ndim > 2:
        may = may.unsqueeze(-3)
    q, k, v = split(x @ w_q, H), split(context @ w_k, H), split(context @ w_v, H)
    return merge(SDPA(q, k, v, attn_mask=may)) @ w_o


def layer(x: Any, *others: Any, **named: Any) -> Any:
    return cross(x, x, *others, **named)


def contribution(x: Any, w_q: Any, w_k: Any, w_v: Any, w_o: Any, b_o: Any, H: int, h: int) -> Any:
    q, k, v = (x @ w.chunk(H, -1)[h] for w in (w_q, w_k, w_v))
    return SDPA(q, k, v) @ w_o.chunk(H, 0)[h]


def parameters(C: int, H: int, D: int, bias: bool) -> int:
    return 4 * C * H * D + bias * (3 * H * D + C)


def flops(B: int, T: int, S: int, C: int, H: int, D: int) -> int:
    return 4 * B * H * D * ((T + S) * C + T * S)


def gpt3(layers: int) -> int:
    return layers * (12 * 12288**2 + 13 * 12288) + (50257 + 2048 + 2) * 12288


def added_up(H: int, C: int, n: int, generator: Any, draws: Any = None) -> float:
    c = torch.randn(n, H, C, generator=generator) if draws is None else draws
    return float((c.sum(1).norm(dim=-1) / c.norm(dim=-1).sum(1)).mean())


def only_for(right: Any, holds: Any) -> Any:
    """A right function that raises where its inputs are not as it expects."""

    def answer(*given: Any) -> Any:
        if not holds(*given):
            raise ValueError("not prepared for that")
        return right(*given)

    return answer


def axes(*counts: int) -> Any:
    return lambda x, *others: x.ndim in counts


def in_float32(right: Any) -> Any:
    """A right function that brings a tensor of its own, in float32, and so a result in it."""
    return lambda x, *others: right(x, *others) * torch.ones(1, dtype=torch.float32)


def mask_of(*, axes: int) -> Any:
    return lambda *given: (
        given[-1] is None or not torch.is_tensor(given[-1]) or (given[-1].ndim == axes)
    )


def reads_nothing(right: Any) -> Any:
    """Rows with nothing to read read the first key."""

    def answer(*given: Any) -> Any:
        *others, may = given
        if torch.is_tensor(may) and may.dtype == torch.bool:
            may = may.clone()
            may[..., 0] |= ~may.any(-1)
            return right(*others, may)
        return right(*given)

    return answer


ROWS: tuple[tuple[str, str, Any], ...] = (
    ("split_heads", "leading axes: none", only_for(split, axes(3, 4))),
    ("split_heads", "leading axes: two", only_for(split, axes(2, 3))),
    ("split_heads", "H heads", lambda x, H: split(x, 3) if x.shape[-1] % 3 == 0 else split(x, H)),
    ("split_heads", "bfloat16", in_float32(split)),
    ("split_heads", "the inputs stay as they were", lambda x, H: split(x.mul_(1.5), H) / 1.5),
    ("merge_heads", "leading axes: none", only_for(merge, axes(4, 5))),
    ("merge_heads", "leading axes: two", only_for(merge, axes(3, 4))),
    ("merge_heads", "the gradient flows back", lambda x: merge(x.detach())),
    ("multi_head_attention", "may_attend may be left out",
     lambda x, w_q, w_k, w_v, w_o, H, may_attend: layer(x, w_q, w_k, w_v, w_o, H, may_attend)),
    ("multi_head_attention", "a mask of T T", only_for(layer, mask_of(axes=3))),
    ("multi_head_attention", "a mask for each example", only_for(layer, mask_of(axes=2))),
    ("multi_head_attention", "H · Dv need not be H · D",
     only_for(layer, lambda x, w_q, w_k, w_v, *others: w_q.shape == w_v.shape)),
    ("multi_head_attention", "H · D need not be C",
     only_for(layer, lambda x, w_q, *others: w_q.shape[0] == w_q.shape[1])),
    ("multi_head_attention", "nothing to read: zeros", reads_nothing(layer)),
    ("multi_head_attention", "leading axes: two", only_for(layer, axes(2, 3))),
    ("cross_attention", "may_attend may be left out",
     lambda x, c, w_q, w_k, w_v, w_o, H, may: cross(x, c, w_q, w_k, w_v, w_o, H, may)),
    ("cross_attention", "S need not be T",
     only_for(cross, lambda x, context, *others: x.shape == context.shape)),
    ("cross_attention", "S may be less than T",
     only_for(cross, lambda x, context, *others: context.shape[-2] >= x.shape[-2])),
    ("cross_attention", "nothing to read: zeros", reads_nothing(cross)),
    ("head_contribution", "counted from 0",
     lambda *given: contribution(*given[:-1], (given[-1] + 1) % given[-2])),
    ("head_contribution", "without b_o", lambda *given: contribution(*given) + given[5]),
    ("head_contribution", "leading axes: two", only_for(contribution, axes(2, 3))),
    ("head_contribution", "bfloat16", in_float32(contribution)),
    ("heads_add_up", "n draws", lambda H, C, n, g: added_up(H, C, 2000, g)),
    ("heads_add_up", "C numbers", lambda H, C, n, g: added_up(H, 400, n, g)),
    ("heads_add_up", "divided by the sum of their lengths",
     lambda H, C, n, g: added_up(H, C, n, g) * H),
    ("mha_param_count", "H · D need not be C", lambda C, H, D, bias: parameters(C, 1, C, bias)),
    ("mha_param_count", "all four have a bias",
     lambda C, H, D, bias: parameters(C, H, D, False) + bias * 3 * H * D),
    ("mha_param_count", "True where there are biases",
     lambda C, H, D, bias: parameters(C, H, D, True)),
    ("mha_flops", "for B examples", lambda B, *others: flops(1, *others)),
    ("mha_flops", "and the addition behind it", lambda *sizes: flops(*sizes) // 2),
    ("mha_flops", "T positions read S", lambda B, T, S, C, H, D: flops(B, T, T, C, H, D)),
    ("mha_flops", "the softmax is not counted",
     lambda B, T, S, C, H, D: flops(B, T, S, C, H, D) + B * H * T * S),
    ("count_gpt3", "so many layers", lambda layers: gpt3(96)),
    ("count_gpt3", "one last norm", lambda layers: gpt3(layers) - 2 * 12288),
    ("count_gpt3", "counts once", lambda layers: gpt3(layers) + 50257 * 12288),
    ("count_gpt3", "to the last digit", lambda layers: gpt3(layers) + 1),
    ("predict_share_of_twelve", "between 0 and 1", lambda: 13),
    ("predict_share_of_twelve", "everything else is kept", lambda: 1.0),
    ("predict_share_of_twelve", "one number", lambda: [0.13]),
)  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "answer"), [pytest.param(row[0], row[2], id=f"{row[0]}: {row[1]}") for row in ROWS]
)
def test_an_answer_that_ignores_a_word_of_the_contract_is_refused(
    exercise: str, answer: Any
) -> None:
    result = check(answer, exercise=exercise)
    assert not result.passed, str(result)
    assert result.points == 0


def test_each_exercise_has_three_such_answers() -> None:
    for exercise in (one for one in EXERCISES if one.kind not in ("test", "bug")):
        assert sum(row[0] == exercise.name for row in ROWS) >= 3, exercise.name


def test_what_they_are_made_of_is_right() -> None:
    right = {
        "split_heads": split, "merge_heads": merge, "multi_head_attention": layer,
        "cross_attention": cross, "head_contribution": contribution, "heads_add_up": added_up,
        "mha_param_count": parameters, "mha_flops": flops, "count_gpt3": gpt3,
    }  # fmt: skip
    for name, answer in right.items():
        result = check(answer, exercise=name)
        assert result.passed, str(result)
