"""Reversible layers and chunked networks: equal to the plain ones, and what they do not keep."""

from collections.abc import Callable

import pytest
import torch
from allocations import Allocations
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import B, C, T, arrays, assert_equals_twin, normal, seeds, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.efficient.chunked_feed_forward import chunked_feed_forward
from course_lib.efficient.reversible import ReversibleLayer, couple, reversible_layers, uncouple
from course_lib.naive.efficient import chunked_feed_forward as naive_chunks
from course_lib.naive.efficient import reversible as naive

DTYPES = (torch.float32, torch.float64)


def f(x: Tensor, *parameters: Tensor) -> Tensor:
    return torch.tanh(x @ parameters[0]) if parameters else torch.tanh(2 * x)


def g(x: Tensor, *parameters: Tensor) -> Tensor:
    return torch.sin(x * parameters[0] + parameters[1]) if parameters else torch.sin(x + 1)


def layers(count: int, size: int = C, dtype: torch.dtype = torch.float64) -> list[ReversibleLayer]:
    return [
        ReversibleLayer(
            f=f,
            g=g,
            f_parameters=(normal(10 * i, size, size, dtype=dtype) / size**0.5,),
            g_parameters=tuple(normal(10 * i + j, size, dtype=dtype) for j in (1, 2)),
        )
        for i in range(count)
    ]


def streams(seed: int = 0, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    return [normal(seed + i, B, T, C, dtype=dtype) for i in range(2)]


def plain(x1: Tensor, x2: Tensor, stack: list[ReversibleLayer]) -> tuple[Tensor, Tensor]:
    for layer in stack:
        x1 = x1 + layer.f(x2, *layer.f_parameters)
        x2 = x2 + layer.g(x1, *layer.g_parameters)
    return x1, x2


@pytest.mark.parametrize("dtype", DTYPES)
def test_they_equal_their_loops(dtype: torch.dtype) -> None:
    x1, x2 = streams(dtype=dtype)
    pair = (lambda x: torch.tanh(torch.from_numpy(x)).numpy(), lambda x: -2 * x)
    ours = (torch.tanh, lambda x: -2 * x)
    stack = (ReversibleLayer(f=ours[0], g=ours[1]),) * 3
    for name, function, twin in (
        ("couple", lambda: couple(x1, x2, *ours), lambda *xs: naive.couple(*xs, *pair)),
        ("uncouple", lambda: uncouple(x1, x2, *ours), lambda *xs: naive.uncouple(*xs, *pair)),
        ("reversible_layers", lambda: reversible_layers(x1, x2, stack),
         lambda *xs: naive.reversible_layers(*xs, (pair,) * 3)),
    ):  # fmt: skip
        found = function()
        expected = [twin(*arrays(x1[b], x2[b])) for b in range(B)]
        for stream in range(2):
            wanted = stacked(result[stream] for result in expected)
            assert_equals_twin(found[stream], wanted, dtype)
        assert name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
def test_a_chunked_network_equals_its_loops(chunk: int, dtype: torch.dtype) -> None:
    x = normal(0, B, T, C, dtype=dtype)
    expected = stacked(
        naive_chunks.chunked_feed_forward(*arrays(x[b]), lambda rows: rows**2 - 1, chunk)
        for b in range(B)
    )
    assert_equals_twin(chunked_feed_forward(x, lambda rows: rows**2 - 1, chunk), expected, dtype)


# Laws


@settings(max_examples=25)
@given(seed=seeds)
def test_what_was_coupled_comes_apart_again(seed: int) -> None:
    x1, x2 = streams(seed)
    parts = lambda x: torch.relu(x - 1), lambda x: x.flip(-2).square()
    assert_close(uncouple(*couple(x1, x2, *parts), *parts), (x1, x2))
    assert_close(couple(*uncouple(x1, x2, *parts), *parts), (x1, x2))


@settings(max_examples=15)
@given(seed=seeds, count=st.integers(0, 4))
def test_layers_and_all_their_gradients_are_those_of_the_plain_stack(seed: int, count: int) -> None:
    stack = layers(count)
    inputs = [part.requires_grad_() for part in streams(seed)]
    parameters = [p for layer in stack for p in (*layer.f_parameters, *layer.g_parameters)]
    for part in parameters:
        part.requires_grad_()
    gradients = tuple(normal(seed + 5 + i, B, T, C) for i in range(2))
    found, expected = reversible_layers(*inputs, tuple(stack)), plain(*inputs, stack)
    assert_close(found, expected)
    everything = [*inputs, *parameters]
    ours = torch.autograd.grad(found, everything, gradients)
    assert_close(ours, torch.autograd.grad(expected, everything, gradients))


def test_one_loss_of_one_stream_and_parameters_shared_by_layers() -> None:
    shared = layers(1)[0]
    for part in (*shared.f_parameters, *shared.g_parameters):
        part.requires_grad_()
    everything = [*shared.f_parameters, *shared.g_parameters]
    x = normal(0, B, T, C)
    ours = reversible_layers(x, x, (shared, shared, shared))[0].square().sum()
    theirs = plain(x, x, [shared] * 3)[0].square().sum()
    assert_close(torch.autograd.grad(ours, everything), torch.autograd.grad(theirs, everything))


def test_a_constant_function_and_one_without_parameters() -> None:
    x1, x2 = (part.requires_grad_() for part in streams())
    stack = (ReversibleLayer(f=torch.zeros_like, g=torch.sin), ReversibleLayer(f=f, g=g))
    found, expected = reversible_layers(x1, x2, stack), plain(x1, x2, list(stack))
    assert_close(found, expected)
    for stream in range(2):
        ours = torch.autograd.grad(found[stream].sum(), (x1, x2), retain_graph=True)
        theirs = torch.autograd.grad(expected[stream].sum(), (x1, x2), retain_graph=True)
        assert_close(ours, theirs)


def test_a_tensor_that_would_get_no_gradient_is_refused_going_back() -> None:
    hidden = normal(3, C, C).requires_grad_()
    x1, x2 = streams()
    layer = ReversibleLayer(f=lambda x: x @ (2 * hidden), g=torch.sin)
    y1, _ = reversible_layers(x1.requires_grad_(), x2, (layer,))
    with pytest.raises(ValueError, match=r"of shape \(11, 11\), and it got 0 parameters"):
        y1.sum().backward()
    frozen = ReversibleLayer(f=lambda x: x @ hidden.detach(), g=torch.sin)
    reversible_layers(x1, x2, (frozen,))[0].sum().backward()
    module = torch.nn.Linear(C, C).double()
    names, weights = zip(*module.named_parameters(), strict=True)

    def call(x: Tensor, *given_: Tensor) -> Tensor:
        return torch.func.functional_call(module, dict(zip(names, given_, strict=True)), (x,))

    whole = ReversibleLayer(f=call, g=torch.sin, f_parameters=weights)
    reversible_layers(x1, x2, (whole,))[1].sum().backward()
    assert module.weight.grad is not None
    expected = (x2 + torch.sin(x1 + module(x2))).sum()
    assert_close(module.weight.grad, torch.autograd.grad(expected, module.weight)[0])


def test_functions_that_make_another_result_going_back_are_refused() -> None:
    x1, x2 = (part.requires_grad_() for part in streams())
    steady = ReversibleLayer(f=torch.sin, g=torch.sin)
    torch.manual_seed(0)
    for layer in (
        ReversibleLayer(f=torch.nn.Dropout(0.2), g=torch.sin),
        ReversibleLayer(f=torch.sin, g=torch.nn.Dropout(0.2)),
    ):
        y1, y2 = reversible_layers(x1, x2, (steady, layer, steady))
        with pytest.raises(ValueError, match=r"rebuilt are off by [\d.]+, where 1\.\d+e-07 is rou"):
            (y1 + y2).sum().backward()
    # NaN is no such sign: it comes back as it came.
    spoilt = torch.full_like(x1, torch.nan).requires_grad_()
    reversible_layers(spoilt, x2, (steady,))[1].sum().backward()
    assert spoilt.grad is not None
    assert spoilt.grad.isnan().all()


def test_inputs_are_rebuilt_after_twelve_layers_in_float32() -> None:
    stack = layers(12, dtype=torch.float32)
    x1, x2 = streams(dtype=torch.float32)
    y1, y2 = reversible_layers(x1, x2, tuple(stack))
    for layer in reversed(stack):
        y1, y2 = uncouple(
            y1, y2,
            lambda x: layer.f(x, *layer.f_parameters),  # noqa: B023
            lambda x: layer.g(x, *layer.g_parameters),  # noqa: B023
        )  # fmt: skip
    assert_close((y1, y2), (x1, x2), rtol=0, atol=1e-4)


# Cost


def saved_numbers(call: Callable[[], object]) -> int:
    """Numbers that a graph keeps for going back, each tensor once."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() // 8
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = call()
    assert result is not None
    return sum(kept.values())


def test_what_is_kept_does_not_grow_with_the_depth() -> None:
    size, kept, plainly = 30, [], []
    for count in (2, 4, 8):
        stack = [ReversibleLayer(f=f, g=g)] * count
        x1, x2 = (normal(i, size, C).requires_grad_() for i in range(2))
        kept.append(saved_numbers(lambda: reversible_layers(x1, x2, tuple(stack))))  # noqa: B023
        plainly.append(saved_numbers(lambda: plain(x1, x2, stack)))  # noqa: B023
    assert kept == [2 * size * C] * 3
    assert plainly[2] - plainly[1] == 2 * (plainly[1] - plainly[0]) > 0


def test_a_chunk_makes_a_hidden_layer_of_its_own_positions_alone() -> None:
    w_in, w_out, x = normal(0, 4, 64), normal(1, 64, 4), normal(2, 128, 4)
    for chunk, largest in ((8, 8 * 64), (32, 32 * 64), (128, 128 * 64)):
        with Allocations() as made:
            chunked_feed_forward(x, lambda rows: torch.relu(rows @ w_in) @ w_out, chunk)
        assert made.largest == largest


# Gradients, purity, refusals


def test_gradients_and_purity() -> None:
    stack = layers(2, 2)
    inputs = [normal(i, 2, 2).requires_grad_() for i in range(2)]
    parameters = [
        p.requires_grad_() for layer in stack for p in (*layer.f_parameters, *layer.g_parameters)
    ]

    def run(x1: Tensor, x2: Tensor, *given_: Tensor) -> tuple[Tensor, Tensor]:
        rebuilt = tuple(
            ReversibleLayer(
                f=f,
                g=g,
                f_parameters=given_[3 * i : 3 * i + 1],
                g_parameters=given_[3 * i + 1 : 3 * i + 3],
            )
            for i in range(2)
        )
        return reversible_layers(x1, x2, rebuilt)

    assert torch.autograd.gradcheck(run, (*inputs, *parameters))
    chunks = normal(0, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: chunked_feed_forward(x, torch.tanh, 2), chunks)
    for i, tensor in enumerate(inputs):
        assert torch.equal(tensor, normal(i, 2, 2))
    unchanged = layers(2, 2)
    for layer, copy in zip(stack, unchanged, strict=True):
        assert torch.equal(layer.f_parameters[0], copy.f_parameters[0])


def test_without_gradients_and_layers_nothing_happens() -> None:
    x1, x2 = streams()
    y1, y2 = reversible_layers(x1, x2, ())
    assert torch.equal(y1, x1)
    assert torch.equal(y2, x2)
    with torch.no_grad():
        assert not reversible_layers(x1.requires_grad_(), x2, tuple(layers(1)))[0].requires_grad


def mean(x: Tensor) -> Tensor:
    return x.mean(-2, keepdim=True)


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    x1, x2 = streams()
    for call, names in (
        (lambda one: couple(one, x2, torch.sin, torch.sin), "x1 and x2"),
        (lambda one: uncouple(one, x2, torch.sin, torch.sin), "y1 and y2"),
        (lambda one: reversible_layers(one, x2, tuple(layers(1))), "x1 and x2"),
    ):
        message = rf"{names} are of one shape; shapes \(2, 1, 11\) and \(2, 3, 11\)"
        with pytest.raises(ValueError, match=message):
            call(x1[:, :1])
        with pytest.raises(ValueError, match=r"1 is torch.float32 and .2 torch.float64"):
            call(x1.float())
    for f_, g_, name in ((mean, torch.sin, "f"), (torch.sin, mean, "g")):
        message = rf"{name} keeps the shape .* it made \(2, 1, 11\) of torch.float64 from \(2, 3"
        with pytest.raises(ValueError, match=message):
            couple(x1, x2, f_, g_)
        with pytest.raises(ValueError, match=message):
            uncouple(x1, x2, f_, g_)
    with pytest.raises(ValueError, match=r"f keeps .* of torch.float32 from"):
        couple(x1, x2, torch.Tensor.float, torch.sin)
    with pytest.raises(ValueError, match="chunk >= 1; chunk is 0"):
        chunked_feed_forward(x1, torch.sin, 0)
    with pytest.raises(ValueError, match=r"it made \(2, 1, 11\) of \(2, 2, 11\)"):
        chunked_feed_forward(x1, mean, 2)
    with pytest.raises(ValueError, match=r"x has the axes \*batch T C, at least 2"):
        chunked_feed_forward(x1[0, 0], torch.sin, 2)
