"""The residual connection and its norms: equal to loops, lawful, five forms that all differ."""

import itertools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from strategies import B, C, T, normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.layers import residual as lib
from course_lib.naive.layers import residual as naive

FORMS = ("pre_norm", "post_norm", "inner_norm", "sandwich_norm", "parallel")


def parts(name: str, seed: int = 0) -> list[Callable[[Tensor], Tensor]]:
    """The functions that a form takes after x: maps of single vectors, and norms with gains."""
    first, second = normal(seed, C, C), normal(seed + 1, C, C)
    gains = normal(seed + 2, C), normal(seed + 3, C)

    def f(x: Tensor) -> Tensor:
        return torch.tanh(x @ first)

    def g(x: Tensor) -> Tensor:
        return torch.sin(x @ second)

    def norm(x: Tensor) -> Tensor:
        return gains[0] * x / x.square().mean(-1, keepdim=True).sqrt()

    def other_norm(x: Tensor) -> Tensor:
        return gains[1] * x / x.abs().amax(-1, keepdim=True)

    return {"sandwich_norm": [f, norm, other_norm], "parallel": [f, g, norm]}.get(name, [f, norm])


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_form_equals_its_loops(name: str, dtype: torch.dtype) -> None:
    x = normal(9, B, T, C)
    functions = parts(name)
    typed = [lambda v, f=f: f(v.double()).to(dtype) for f in functions]
    arrays = [lambda v, f=f: f(torch.from_numpy(v)).numpy() for f in functions]
    result = getattr(lib, name)(x.to(dtype), *typed)
    twins = [getattr(naive, name)(example.numpy(), *arrays) for example in x.to(dtype).double()]
    assert result.dtype == dtype
    assert_close(result, torch.stack([torch.from_numpy(twin) for twin in twins]).to(dtype))


def test_the_five_forms_are_five_functions() -> None:
    x = normal(9, B, T, C)
    results = [getattr(lib, name)(x, *parts(name)) for name in FORMS]
    for first, second in itertools.combinations(results, 2):
        assert (first - second).abs().max() > 0.1


@given(seed=seeds)
def test_a_silent_sublayer_leaves_the_stream_alone(seed: int) -> None:
    x = normal(seed, B, T, C)

    def silent(v: Tensor) -> Tensor:
        return torch.zeros_like(v)

    def norm(v: Tensor) -> Tensor:
        return v * 3

    for function in (lib.pre_norm, lib.inner_norm):
        assert torch.equal(function(x, silent, norm), x)
    assert torch.equal(lib.sandwich_norm(x, silent, norm, norm), x)
    assert torch.equal(lib.parallel(x, silent, silent, norm), x)
    assert_close(lib.post_norm(x, silent, norm), 3 * x)


@pytest.mark.parametrize("name", FORMS)
def test_gradient(name: str) -> None:
    x = normal(0, 2, C).requires_grad_()
    functions = parts(name)
    assert torch.autograd.gradcheck(lambda v: getattr(lib, name)(v, *functions), (x,))


@pytest.mark.parametrize("name", ["pre_norm", "inner_norm", "sandwich_norm", "parallel"])
def test_the_gradient_has_a_path_around_the_sublayer(name: str) -> None:
    x = normal(0, 2, C).requires_grad_()
    functions = [lambda v: v * 0.0] * len(parts(name))
    getattr(lib, name)(x, *functions).sum().backward()
    assert torch.equal(x.grad, torch.ones(2, C).double())


@pytest.mark.parametrize("name", FORMS)
def test_the_stream_is_not_modified(name: str) -> None:
    x = normal(0, B, T, C)
    before = x.clone()
    getattr(lib, name)(x, *parts(name))
    assert torch.equal(x, before)
