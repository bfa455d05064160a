"""A function that lets another one do the work earns nothing, however it is called."""

import textwrap
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional
from torch import softmax as renamed
from torch.nn import functional

import course_lib.softmax as library
from course_lib.softmax import softmax as ours
from grading import check
from grading.verdict.operations import in_words


def stable(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    """A right answer; this text names torch.softmax, and calls nothing."""
    powers = torch.exp(x - x.amax(axis, keepdim=True))  # like F.softmax
    return powers / powers.sum(axis, keepdim=True)


def nested(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    def inner(z: torch.Tensor) -> torch.Tensor:
        return functional.softmax(z, axis)

    return inner(x)


def only_used_for_a_check(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    result = stable(x, axis)
    assert torch.allclose(result, torch.nn.Softmax(axis)(x), atol=0.01)
    return result


TAKEN = {
    "by its name": lambda x, axis=-1: torch.softmax(x, axis),
    "renamed": lambda x, axis=-1: renamed(x, axis),
    "as a method": lambda x, axis=-1: x.softmax(axis),
    "by functional": nested,
    "from a module": lambda x, axis=-1: torch.nn.Softmax(axis)(x),
    "by another way": lambda x, axis=-1: torch.log_softmax(x, axis).exp(),
    "by log-sum-exp": lambda x, axis=-1: (x - torch.logsumexp(x, axis, keepdim=True)).exp(),
    "by an inner name": lambda x, axis=-1: torch._softmax(x, axis, False),
    "by the dispatcher": lambda x, axis=-1: torch.ops.aten.softmax(x, axis),
    "by the inner logarithm": lambda x, axis=-1: torch._log_softmax(x, axis, False).exp(),
    "by a running log-sum-exp": lambda x, axis=-1: (
        x - torch.logcumsumexp(x, axis).narrow(axis, -1, 1)
    ).exp(),
    "by attention": lambda x, axis=-1: (
        functional.scaled_dot_product_attention(
            x.movedim(axis, -1).unsqueeze(-2),
            torch.eye(x.shape[axis], dtype=x.dtype).expand(*x.movedim(axis, -1).shape[:-1], -1, -1),
            torch.eye(x.shape[axis], dtype=x.dtype).expand(*x.movedim(axis, -1).shape[:-1], -1, -1),
            scale=1.0,
        )
        .squeeze(-2)
        .movedim(-1, axis)
    ),
    "from the library": lambda x, axis=-1: ours(x, axis),
    "the library itself": ours,
    "by an attribute": lambda x, axis=-1: getattr(library, "softmax")(x, axis),  # noqa: B009
    "beside an answer of one's own": only_used_for_a_check,
}


@pytest.mark.parametrize("way", TAKEN)
def test_a_forbidden_call_is_seen(way: str) -> None:
    result = check(TAKEN[way], exercise="softmax")
    assert (result.passed, result.points) == (False, 0)
    assert result.rule == "the work is your own"
    assert any(word in result.message for word in ("softmax", "sumexp", "attention"))


def own(x: torch.Tensor, axis: int) -> torch.Tensor:
    powers = (x - x.amax(axis, keepdim=True)).exp()
    return powers / powers.sum(axis, keepdim=True)


def by_autograd(p: torch.Tensor, g: torch.Tensor, axis: int = -1) -> torch.Tensor:
    with torch.enable_grad():
        x = p.log().clamp(min=-1e4).requires_grad_()
        return torch.autograd.grad(own(x, axis), x, g)[0]


def by_backward(p: torch.Tensor, g: torch.Tensor, axis: int = -1) -> torch.Tensor:
    x = p.detach().log().clamp(min=-1e4).requires_grad_()
    own(x, axis).backward(g)
    assert x.grad is not None
    return x.grad


def by_vjp(p: torch.Tensor, g: torch.Tensor, axis: int = -1) -> torch.Tensor:
    return torch.func.vjp(lambda x: own(x, axis), p.log().clamp(min=-1e4))[1](g)[0]


def by_jvp(p: torch.Tensor, g: torch.Tensor, axis: int = -1) -> torch.Tensor:
    """The Jacobian is symmetric."""
    return torch.func.jvp(lambda x: own(x, axis), (p.log().clamp(min=-1e4),), (g,))[1]


GRADIENTS = {
    by_autograd: "torch.autograd.grad",
    by_backward: "torch.autograd.backward",
    by_vjp: "torch.autograd.grad",
    by_jvp: "torch.autograd.forward_ad.make_dual",
    lambda p, g, axis=-1: torch._softmax_backward_data(
        g, p, axis, p.dtype
    ): "PyTorch's own aten._softmax_backward_data",
}


@pytest.mark.parametrize(("answer", "name"), GRADIENTS.items())
def test_a_gradient_by_pytorchs_autograd_is_no_answer(answer: Any, name: str) -> None:
    result = check(answer, exercise="softmax_vjp")
    assert result.rule == "the work is your own", str(result)
    assert f"It uses {in_words(name)}. This task asks for your own version" in result.message


def test_a_word_in_a_text_is_no_call() -> None:
    assert check(stable, exercise="softmax").passed


def learner_module(source: str, name: str, tmp_path: Any) -> Any:
    path = tmp_path / "answer.py"
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    module = ModuleType("answer")
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    return getattr(module, name)


@pytest.mark.parametrize("line", ["query @ key.T", "np.dot(query, key.T)", "query.dot(key.T)"])
def test_loops_are_loops(line: str, tmp_path: Any) -> None:
    source = f"""
        import numpy as np

        def attention_by_loops(query, key, value):
            z = {line} / query.shape[1] ** 0.5
            p = np.exp(z - z.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            return np.array([sum(w * v for w, v in zip(row, value)) for row in p])
    """
    result = check(learner_module(source, "attention_by_loops", tmp_path))
    assert result.rule == "the work is your own", str(result)
