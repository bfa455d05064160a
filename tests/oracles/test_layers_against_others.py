"""Norms, activations, feed-forward networks against PyTorch and the layers of transformers."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from strategies import B, S, T, normal, seeds
from torch import Tensor, nn
from torch.nn import functional
from torch.testing import assert_close
from transformers import GemmaConfig, GPT2Config, LlamaConfig, T5Config
from transformers.activations import ACT2FN
from transformers.models.gemma.modeling_gemma import GemmaMLP
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm
from transformers.models.gpt2.modeling_gpt2 import GPT2MLP
from transformers.models.llama.modeling_llama import LlamaMLP, LlamaRMSNorm
from transformers.models.t5.modeling_t5 import T5DenseGatedActDense

from course_lib.layers.activations import gelu, gelu_tanh, relu, silu
from course_lib.layers.feed_forward import (
    bilinear,
    feed_forward,
    gated_feed_forward,
    geglu,
    glu,
    reglu,
    swiglu,
)
from course_lib.layers.norms import layer_norm, rms_norm, rms_norm_unit_offset

C, F = 64, 96
DTYPES = (torch.float32, torch.float64)
ROWS = 4096


def set_weights(layer: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Parameters of ordinary size, biases included, which most layers start at zero or one."""
    with torch.no_grad():
        for seed, parameter in enumerate(layer.parameters(), start=1):
            parameter.copy_(normal(seed, *parameter.shape) * parameter.shape[0] ** -0.5)
    return layer.to(dtype)


def largest_error(ours: Tensor, theirs: Tensor) -> float:
    """Absolute up to one, relative beyond it."""
    size = theirs.double().abs().clamp(min=1.0)
    return ((ours.double() - theirs.double()).abs() / size).max().item()


# Norms


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e4])
def test_norms_are_torchs(scale: float, dtype: torch.dtype) -> None:
    x, g, b = scale * normal(0, B, T, C), 1 + 0.1 * normal(1, C), normal(2, C)
    x, g, b = x.to(dtype), g.to(dtype), b.to(dtype)
    assert_close(layer_norm(x, g, b, 1e-5), functional.layer_norm(x, (C,), g, b, 1e-5))
    assert_close(rms_norm(x, g, 1e-6), functional.rms_norm(x, (C,), g, 1e-6))
    module = nn.RMSNorm(C, eps=1e-5).to(dtype)
    assert_close(rms_norm_unit_offset(x, torch.zeros_like(g), 1e-5), module(x))
    default = torch.finfo(dtype).eps  # what nn.RMSNorm takes where no eps is given
    assert_close(rms_norm(x, g, default), functional.rms_norm(x, (C,), g))


@given(seed=seeds)
def test_gradients_of_norms_are_torchs(seed: int) -> None:
    inputs = [normal(seed, T, C), normal(seed + 1, C), normal(seed + 2, C)]
    x, g, b = (tensor.requires_grad_() for tensor in inputs)
    gradient = normal(seed + 3, T, C)
    for ours, theirs, wanted in (
        (layer_norm(x, g, b, 1e-5), functional.layer_norm(x, (C,), g, b, 1e-5), (x, g, b)),
        (rms_norm(x, g, 1e-6), functional.rms_norm(x, (C,), g, 1e-6), (x, g)),
    ):
        actual = torch.autograd.grad(ours, wanted, gradient)
        assert_close(actual, torch.autograd.grad(theirs, wanted, gradient))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rms_norm_is_llamas_to_the_last_digit(dtype: torch.dtype) -> None:
    layer = set_weights(LlamaRMSNorm(C, eps=1e-6), dtype)
    x = normal(0, ROWS, C, dtype=dtype)
    assert torch.equal(rms_norm(x, layer.weight, 1e-6), layer(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("theirs", [Gemma2RMSNorm, Gemma3RMSNorm])
def test_rms_norm_unit_offset_is_gemmas_to_the_last_digit(
    theirs: Callable[..., nn.Module], dtype: torch.dtype
) -> None:
    layer = set_weights(theirs(C, eps=1e-6), dtype)
    x = normal(0, ROWS, C, dtype=dtype)
    assert torch.equal(rms_norm_unit_offset(x, layer.weight, 1e-6), layer(x))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_layer_norm_rounds_once_as_torchs_kernel_does(dtype: torch.dtype) -> None:
    x, g, b = (
        normal(seed, *shape, dtype=dtype) for seed, shape in enumerate(((ROWS, C), (C,), (C,)))
    )
    theirs = functional.layer_norm(x, (C,), g, b, 1e-5)
    ours = layer_norm(x, g, b, 1e-5)
    # Where the float32 results straddle a rounding boundary, they end one digit apart. Measured:
    # in 5 of 100,000 entries (bfloat16), 20 of 100,000 (float16).
    assert (ours != theirs).float().mean() < 5e-4
    assert_close(ours, theirs)


def test_float32_errors_of_norms() -> None:
    x, g, b = (normal(seed, *shape) for seed, shape in enumerate(((ROWS, C), (C,), (C,))))
    g = 1 + 0.1 * g
    x32, g32, b32 = x.float(), g.float(), b.float()
    exact = functional.layer_norm(x32.double(), (C,), g32.double(), b32.double(), 1e-5)
    kernel = functional.layer_norm(x32, (C,), g32, b32, 1e-5)
    ours = layer_norm(x32, g32, b32, 1e-5)
    # Gain times entry and shift may cancel. Measured: 4.9e-7 from float64 (the kernel: 4.4e-7),
    # 6.6e-7 from the kernel.
    assert largest_error(ours, exact) < 7e-7
    assert largest_error(ours, kernel) < 1e-6
    exact = functional.rms_norm(x32.double(), (C,), g32.double(), 1e-6)
    ours = rms_norm(x32, g32, 1e-6)
    # Measured: 2.4e-7 from float64 (the kernel: the same), 0 from the kernel.
    assert largest_error(ours, exact) < 3e-7
    assert largest_error(ours, functional.rms_norm(x32, (C,), g32, 1e-6)) < 3e-7
    exact = functional.rms_norm(x32.double(), (C,), 1 + b32.double(), 1e-6)
    assert largest_error(rms_norm_unit_offset(x32, b32, 1e-6), exact) < 3e-7  # measured: 2.4e-7


# Activations

KERNELS: dict[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]] = {
    relu: functional.relu,
    gelu: functional.gelu,
    gelu_tanh: lambda x: functional.gelu(x, approximate="tanh"),
    silu: functional.silu,
}
NAMES = {
    relu: ("relu",),
    gelu: ("gelu",),
    gelu_tanh: ("gelu_new", "gelu_pytorch_tanh"),
    silu: ("silu",),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ours", KERNELS, ids=lambda function: function.__name__)
def test_activations_are_torchs(ours: Callable[[Tensor], Tensor], dtype: torch.dtype) -> None:
    x = torch.cat([3 * normal(0, ROWS, dtype=dtype), torch.tensor([0.0, -1e4, 1e4], dtype=dtype)])
    x.requires_grad_()
    result, expected = ours(x), KERNELS[ours](x)
    assert_close(result, expected)
    for name in NAMES[ours]:  # what transformers' configurations call it
        assert_close(result, ACT2FN[name](x))
    if dtype == torch.float32:
        # Measured from float64: 0 for relu, 9.7e-8 for gelu (the kernel: 7.7e-7), 9.4e-8 for
        # gelu_tanh (1.5e-7), 1.2e-7 for silu (1.1e-7). From the kernel: 0, 7.7e-7, 1.5e-7, 1.2e-7.
        assert largest_error(result, KERNELS[ours](x.double())) < 1.5e-7
        assert largest_error(result, expected) < (1e-6 if ours is gelu else 2e-7)
    gradient = normal(1, len(x), dtype=dtype)
    (actual,) = torch.autograd.grad(result, x, gradient)
    assert_close(actual, torch.autograd.grad(expected, x, gradient)[0])


# Feed-forward networks


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "activation"), [("gelu_new", gelu_tanh), ("gelu", gelu), ("relu", relu)]
)
def test_feed_forward_is_gpt2s(
    name: str, activation: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    config = GPT2Config(n_embd=C, activation_function=name, resid_pdrop=0.0)
    layer = set_weights(GPT2MLP(F, config), dtype)
    x = normal(0, B, T, C, dtype=dtype)
    weights = layer.c_fc.weight, layer.c_fc.bias, layer.c_proj.weight, layer.c_proj.bias
    result = feed_forward(x, *weights, activation)
    assert_close(result, layer(x))
    if dtype == torch.float32:
        assert largest_error(result, layer(x)) < 3e-7  # measured: 0 and 2.4e-7


def test_feed_forward_without_biases_is_two_matrices() -> None:
    up, down = nn.Linear(C, F, bias=False).double(), nn.Linear(F, C, bias=False).double()
    x = normal(0, S, C)
    expected = nn.Sequential(up, nn.ReLU(), down)(x)
    assert_close(feed_forward(x, up.weight.T, None, down.weight.T, None, relu), expected)
    with_one = feed_forward(x, up.weight.T, None, down.weight.T, torch.ones(C).double(), relu)
    assert_close(with_one, expected + 1)


def columns(*layers: nn.Module) -> list[Tensor]:
    """torch's weights are [out, in], ours [in, out]."""
    return [layer.weight.T for layer in layers]


@pytest.mark.parametrize("dtype", DTYPES)
def test_swiglu_is_llamas_and_geglu_with_tanh_gemmas(dtype: torch.dtype) -> None:
    x = normal(0, B, T, C, dtype=dtype)
    llama = set_weights(LlamaMLP(LlamaConfig(hidden_size=C, intermediate_size=F)), dtype)
    gemma = set_weights(GemmaMLP(GemmaConfig(hidden_size=C, intermediate_size=F)), dtype)
    for layer, result in (
        (llama, swiglu(x, *columns(llama.gate_proj, llama.up_proj, llama.down_proj))),
        (
            gemma,
            gated_feed_forward(
                x, *columns(gemma.gate_proj, gemma.up_proj, gemma.down_proj), gelu_tanh
            ),
        ),
    ):
        assert_close(result, layer(x))
        if dtype == torch.float32:
            assert largest_error(result, layer(x)) < 3e-7  # measured: 1.2e-7


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("network", "name"),
    [(glu, "sigmoid"), (bilinear, "linear"), (reglu, "relu"), (geglu, "gelu"), (swiglu, "silu")],
)
def test_the_family_is_t5s(network: Callable[..., Tensor], name: str, dtype: torch.dtype) -> None:
    """T5 version 1.1 is where the family was tried: its layer, with each bend in turn."""
    config = T5Config(d_model=C, d_ff=F, dropout_rate=0.0)
    config.dense_act_fn = name
    layer = set_weights(T5DenseGatedActDense(config), dtype)
    x = normal(0, B, T, C, dtype=dtype)
    result = network(x, *columns(layer.wi_0, layer.wi_1, layer.wo))
    assert_close(result, layer(x))
    if dtype == torch.float32:
        assert largest_error(result, layer(x)) < 3e-7  # measured: at most 1.2e-7


def test_glu_and_bilinear_are_torchs() -> None:
    x, w_gate, w_up, w_down = normal(0, S, C), normal(1, C, F), normal(2, C, F), normal(3, F, C)
    both = torch.cat([x @ w_up, x @ w_gate], dim=-1)
    assert_close(glu(x, w_gate, w_up, w_down), functional.glu(both) @ w_down)
    forms = torch.einsum("if,jf,fc->cij", w_gate, w_up, w_down)
    assert_close(bilinear(x, w_gate, w_up, w_down), functional.bilinear(x, x, forms))
