"""Wrong recurrent answers re-made from public threads are refused; unusual right ones pass.

The table says for each wrong answer the thread, what the answer does, and what the check says:
codes of mistakes, whose sentences were read against the answer and are true of it, or why none.
`answers_from_threads_limits_of_rnns.md` is made of the same table; a test says when it is not.
"""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import torch
from rows_of_threads import (
    RAISES,
    RARE,
    G,
    Row,
    codes,
    expected,
    verdict,
)

from grading.exercises import all_exercises

pytestmark = pytest.mark.filterwarnings("ignore")
LOG = Path(__file__).with_name("answers_from_threads_limits_of_rnns.md")


# -- the state -------------------------------------------------------------------------------------


def forward(
    mix: Callable[..., Any] = lambda x, h, w_x, w_h, b: torch.tanh(x @ w_x + h @ w_h + b),
    before: Callable[..., Any] = lambda h0, h: h,
    rows: Callable[..., Any] = lambda h0, states: torch.stack(states, dim=-2),
) -> Any:
    """Make a network in which one part is done in another way."""

    def answer(x: Any, h0: Any, w_x: Any, w_h: Any, b: Any) -> Any:
        h, states = h0, []
        for t in range(x.shape[-2]):
            h = mix(x[..., t, :], before(h0, h), w_x, w_h, b)
            states.append(h)
        return rows(h0, states)

    return answer


def one_buffer(x: Any, h0: Any, w_x: Any, w_h: Any, b: Any) -> Any:
    h, states = h0.clone(), []
    with torch.no_grad():
        for t in range(x.shape[-2]):
            h[...] = torch.tanh(x[..., t, :] @ w_x + h @ w_h + b)
            states.append(h)
    return torch.stack(states, dim=-2)


def batch_as_time(x: Any, h0: Any, w_x: Any, w_h: Any, b: Any) -> Any:
    h, states = h0, []
    for t in range(x.shape[0]):
        h = torch.tanh(x[t] @ w_x + h @ w_h + b)
        states.append(h)
    return torch.stack(states)


# -- gradients -------------------------------------------------------------------------------------


def jacobian_norms(
    slope: Callable[..., Any] = lambda h: 1 - h * h,
    norm: Callable[..., Any] = lambda product: torch.linalg.matrix_norm(product, ord=2),
) -> Any:
    def answer(w_h: Any, hs: Any) -> Any:
        product, norms = torch.eye(len(w_h), dtype=torch.float64), []
        for h in hs.double().flip(0):
            norms.insert(0, norm(product))
            product = product @ (slope(h)[:, None] * w_h.double().T)
        return torch.stack(norms).to(hs.dtype)

    return answer


# -- ways and room ---------------------------------------------------------------------------------


def ways(conv: Callable[[int, int], int], more: int = 0) -> Any:
    def answer(kind: str, i: int, j: int, kernel: Any = None) -> int:
        distance = abs(i - j)
        if kind == "conv":
            return conv(distance, kernel) + more
        return distance + more if kind == "rnn" else 1

    return answer


def by_scan(kind: str, T: int) -> int:
    return math.ceil(math.log2(T)) if kind == "rnn" else 1


def room(token: Callable[[int], float]) -> Any:
    return lambda bits_per_unit, N, vocab: math.floor(bits_per_unit * N / token(vocab))


# -- gates -----------------------------------------------------------------------------------------


def cell(
    order: tuple[int, ...] = (0, 1, 2, 3),
    keep: Callable[..., Any] = lambda i, f, g, c: f * c + i * g,
    show: Callable[..., Any] = lambda o, c: o.sigmoid() * c.tanh(),
    add: Callable[..., Any] = lambda gates, b: gates + b,
) -> Any:
    def answer(x: Any, h: Any, c: Any, w: Any, b: Any) -> Any:
        blocks = add(torch.cat([x, h], dim=-1) @ w, b).chunk(4, dim=-1)
        i, f, g, o = (blocks[place] for place in order)
        new = keep(i.sigmoid(), f.sigmoid(), g.tanh(), c)
        return show(o, new), new

    return answer


def one_bias_for_three(gates: Any, b: Any) -> Any:
    i, _, g, o = b.chunk(4)
    return gates + torch.cat([o, o, g, o]) + 0 * i.sum()


# -- growth ----------------------------------------------------------------------------------------


def growing(entry: Callable[..., float], ours: bool = True) -> Any:
    def answer(N: int, T: int, gain: float, n: int, generator: Any) -> Any:
        given = generator if ours else None
        w = entry(N, gain) * torch.randn(n, N, N, generator=given)
        g = torch.nn.functional.normalize(torch.randn(n, N, generator=generator), dim=-1)
        for _ in range(T):
            g = torch.einsum("nij,nj->ni", w, g)
        return (g.norm(dim=-1).log() / T).mean().item()

    return answer


ROWS = tuple(Row(*row) for row in (
    ("rnn_forward", "puts one tensor into the list at each step", one_buffer,
     G + "pytorch/pytorch/pull/142303", "RNN-INPLACE"),
    ("rnn_forward", "hands the first state to every step", forward(before=lambda h0, h: h0),
     G + "zergtant/pytorch-handbook/issues/102", "RNN-REUSE"),
    ("rnn_forward", "sets the state back at every step",
     forward(before=lambda h0, h: torch.zeros_like(h0)),
     G + "ageron/handson-mlp/pull/4", "RNN-NOSTATE"),
    ("rnn_forward", "takes the batch for the time", batch_as_time,
     G + "HHTseng/video-classification/issues/42", RAISES),
    ("rnn_forward", "one state more than there are inputs",
     forward(rows=lambda h0, states: torch.stack([h0, *states], dim=-2)),
     G + "tensorflow/tensorflow/issues/869", "RNN-WITHH0"),
    ("rnn_forward", "the tanh around one part of the sum",
     forward(mix=lambda x, h, w_x, w_h, b: torch.tanh(x @ w_x) + h @ w_h + b),
     G + "lmjohns3/theanets/issues/109", RARE),
    ("state_jacobian_norms", "the root of all squares for the 2-norm",
     jacobian_norms(norm=lambda p: p.square().sum().sqrt()),
     G + "casadi/casadi/issues/841", "JAC-FRO"),
    ("state_jacobian_norms", "a vector norm over both axes",
     jacobian_norms(norm=lambda p: p.norm(2, (0, 1))),
     G + "pytorch/pytorch/issues/49580", "JAC-FRO"),
    ("state_jacobian_norms", "tanh' without its square", jacobian_norms(lambda h: 1 - h),
     G + "scutan90/DeepLearning-500-questions/issues/466", "JAC-H2"),
    ("state_jacobian_norms", "tanh' upside down", jacobian_norms(lambda h: 1 / (1 - h * h)),
     G + "oreilly-japan/deep-learning-from-scratch-2/issues/26", RARE),
    ("state_jacobian_norms", "the derivative of tan", jacobian_norms(lambda h: 1 + h * h),
     G + "nicodjimenez/lstm/issues/41", RARE),
    ("path_length", "a layer reaches k further", ways(lambda d, k: math.ceil(d / k)),
     G + "philipperemy/keras-tcn/issues/196", "PATH-KERNEL"),
    ("path_length", "a causal kernel reaches (k − 1)/2",
     ways(lambda d, k: math.ceil(2 * d / (k - 1))),
     G + "locuslab/TCN/issues/12", "PATH-CENTRED"),
    ("path_length", "counts samples, not steps", ways(lambda d, k: math.ceil(d / (k - 1)), 1),
     G + "philipperemy/keras-tcn/issues/207", "PATH-OFF1"),
    ("sequential_ops", "a scan for a recurrence that is not linear", by_scan,
     G + "state-spaces/mamba/issues/220", "OPS-LOGRNN"),
    ("copy_capacity", "the natural logarithm for bits", room(math.log),
     G + "EleutherAI/lm-evaluation-harness/pull/242", "CAP-LN"),
    ("copy_capacity", "the logarithm taken twice",
     room(lambda V: math.log2(math.log2(V)) if V > 4 else math.log2(V)),
     G + "atoponce/webpassgen/pull/18", RARE),
    ("lstm_step", "input and forget gate exchanged", cell((1, 0, 2, 3)),
     G + "NX-AI/xlstm/issues/98", "LSTM-ORDER"),
    ("lstm_step", "the gates of ONNX: i, o, f, c", cell((0, 2, 3, 1)),
     G + "CrispStrobe/CrispASR/pull/106", "LSTM-ORDER"),
    ("lstm_step", "i, f, o, z", cell((0, 1, 3, 2)), G + "apple/coremltools/pull/93", "LSTM-ORDER"),
    ("lstm_step", "shows the cell without tanh", cell(show=lambda o, c: o.sigmoid() * c),
     G + "nicodjimenez/lstm/issues/47", "LSTM-NOTANHC"),
    ("lstm_step", "keeps 1 − i", cell(keep=lambda i, f, g, c: (1 - i) * c + i * g),
     G + "glample/tagger/issues/25", "LSTM-COUPLED"),
    ("lstm_step", "adds gate and new value", cell(keep=lambda i, f, g, c: f * c + i + g),
     G + "MartinuzziFrancesco/torchrecurrent/issues/22", RARE),
    ("lstm_step", "writes with the forget gate", cell(keep=lambda i, f, g, c: f * c + f * g),
     G + "ARM-software/CMSIS-NN/pull/181", RARE),
    ("lstm_step", "one bias for three gates", cell(add=one_bias_for_three),
     G + "ddbourgin/numpy-ml/issues/42", RARE),
    ("lstm_step", "tanh, then a sigmoid on the output gate",
     cell(show=lambda o, c: o.tanh().sigmoid() * c.tanh()),
     G + "google/e3d_lstm/issues/17", RARE),
    ("gradient_growth", "the spread without √N", growing(lambda N, gain: gain),
     G + "sidkk86/weight_initialization/issues/1", "GROWTH-NOROOT"),
    ("gradient_growth", "drops the generator",
     growing(lambda N, gain: gain / math.sqrt(N), ours=False),
     G + "flagos-ai/FlagGems/issues/3284", "GROWTH-GLOBAL"),
))  # fmt: skip


# -- right, and unusual ----------------------------------------------------------------------------


def forward_by_accumulate(x: Any, h0: Any, w_x: Any, w_h: Any, b: Any) -> Any:
    inputs = (x @ w_x + b).unbind(-2)
    states = itertools.accumulate(inputs, lambda h, u: (u + h @ w_h).tanh(), initial=h0)
    return torch.stack(list(states)[1:], -2)


def forward_by_recursion(x: Any, h0: Any, w_x: Any, w_h: Any, b: Any) -> Any:
    if x.shape[-2] == 0:
        return h0.new_zeros(*h0.shape[:-1], 0, h0.shape[-1])
    h = torch.tanh(x[..., 0, :] @ w_x + h0 @ w_h + b)
    rest = forward_by_recursion(x[..., 1:, :], h, w_x, w_h, b)
    return torch.cat([h.unsqueeze(-2), rest], dim=-2)


def forward_by_exponentials(x: Any, h0: Any, w_x: Any, w_h: Any, b: Any) -> Any:
    h, states = h0, []
    for t in range(x.shape[-2]):
        h = 2 * torch.sigmoid(2 * (x[..., t, :] @ w_x + h @ w_h + b)) - 1
        states.append(h)
    return torch.stack(states, dim=-2)


def norms_by_reduce(w_h: Any, hs: Any) -> Any:
    steps = [torch.diag(1 - h**2) @ w_h.double().T for h in hs.double()]
    whole = torch.eye(len(w_h), dtype=torch.float64)
    products = [reduce(lambda p, j: j @ p, steps[t + 1 :], whole) for t in range(len(hs))]
    return torch.linalg.svdvals(torch.stack(products))[:, 0].to(hs.dtype)


def norms_by_autograd(w_h: Any, hs: Any) -> Any:
    """Differentiate the steps themselves; atanh gives back what the tanh was taken of."""
    w, states, norms = w_h.double(), hs.double(), []
    sums = torch.atanh(states)
    for t in range(len(hs)):

        def last(h: Any, t: int = t) -> Any:
            for k in range(t + 1, len(states)):
                h = torch.tanh(sums[k] + (h - states[k - 1]) @ w)
            return h

        jacobian = torch.autograd.functional.jacobian(last, states[t])
        norms.append(torch.linalg.matrix_norm(jacobian, ord=2))
    return torch.stack(norms).to(hs.dtype)


def path_by_range(kind: str, i: int, j: int, kernel: Any = None) -> int:
    stride = {"rnn": 1, "conv": (kernel or 2) - 1, "attention": abs(i - j)}[kind]
    return len(range(min(i, j), max(i, j), stride))


def ops_by_boolean(kind: str, T: int) -> int:
    return 1 + (kind == "rnn") * (T - 1)


def room_by_counting(bits_per_unit: float, N: int, vocab: int) -> int:
    states = 2 ** (Fraction(bits_per_unit) * N * 4)  # whole, for bits in quarters
    return next(T for T in itertools.count() if vocab ** (4 * (T + 1)) > states)


def room_by_another_base(bits_per_unit: float, N: int, vocab: int) -> int:
    return int(bits_per_unit * N * math.log(2) / math.log(vocab) + 1e-9)


def cell_by_tanh_alone(x: Any, h: Any, c: Any, w: Any, b: Any) -> Any:
    gates = torch.cat((x, h), -1) @ w + b
    i, f, g, o = torch.tensor_split(gates, 4, -1)
    half = lambda z: (1 + torch.tanh(z / 2)) / 2  # noqa: E731
    c = torch.addcmul(half(f) * c, half(i), g.tanh())
    return half(o) * c.tanh(), c


def growth_by_rows(N: int, T: int, gain: float, n: int, generator: Any) -> Any:
    g = torch.randn(n, 1, N, generator=generator, dtype=torch.float64)
    w = torch.normal(0.0, gain / N**0.5, (n, N, N), generator=generator, dtype=torch.float64)
    first = g.norm(dim=-1)
    for _ in range(T):
        g = g @ w
    return float(((g.norm(dim=-1) / first).log().mean()) / T)


RIGHT = (
    ("rnn_forward", forward_by_accumulate), ("rnn_forward", forward_by_recursion),
    ("rnn_forward", forward_by_exponentials), ("state_jacobian_norms", norms_by_reduce),
    ("state_jacobian_norms", norms_by_autograd), ("path_length", path_by_range),
    ("sequential_ops", ops_by_boolean), ("copy_capacity", room_by_counting),
    ("copy_capacity", room_by_another_base), ("lstm_step", cell_by_tanh_alone),
    ("gradient_growth", growth_by_rows),
)  # fmt: skip


@pytest.mark.parametrize("row", [pytest.param(r, id=f"{r.exercise}: {r.does}") for r in ROWS])
def test_a_wrong_answer_is_refused_and_called_what_it_is(row: Row) -> None:
    assert verdict(row.exercise, row.answer) == expected(row)


@pytest.mark.parametrize(("exercise", "answer"), RIGHT, ids=[one[1].__name__ for one in RIGHT])
def test_an_unusual_right_answer_is_accepted(exercise: str, answer: Any) -> None:
    assert verdict(exercise, answer) == "accepted"


def test_all_exercises_of_each_kind_are_met() -> None:
    asked = {
        one.name
        for one in all_exercises()
        if one.slug == "limits-of-rnns" and one.kind in ("implement", "measure")
    }
    assert {row.exercise for row in ROWS} == asked == {exercise for exercise, _ in RIGHT}
    assert len({(row.thread, row.exercise) for row in ROWS}) == len(ROWS) >= 8


def log() -> str:
    """Return the page: counts, a line for each wrong answer, and the names of the right ones."""
    named = sum(codes(row.said) is not None for row in ROWS)
    lines = [
        "# Wrong recurrent answers re-made from public threads, and unusual right ones", "",
        "What people got wrong in public was written again, in code of our own, and handed to",
        "`check`; `answers_from_threads.md` says how this table is meant. It is that of",
        "`test_answers_from_threads_limits_of_rnns.py`, which checks each row.", "",
        f"{len(ROWS)} wrong answers: {len(ROWS)} refused, {named} rightly named, 0 falsely named, "
        f"{len(ROWS) - named} without a name. {len(RIGHT)} unusual right answers: accepted.", "",
        "| exercise | thread | what the answer does | said |", "|---|---|---|---|",
    ]  # fmt: skip
    for row in ROWS:
        said = f"`{row.said}`" if codes(row.said) else row.said
        lines.append(f"| `{row.exercise}` | {row.thread} | {row.does} | {said} |")
    lines += ["", "## Right answers", ""]
    lines += [f"- `{exercise}`: `{answer.__name__}`" for exercise, answer in RIGHT]
    return "\n".join(lines) + "\n"


def test_the_log_is_that_of_the_table() -> None:
    assert LOG.read_text(encoding="utf-8") == log()
