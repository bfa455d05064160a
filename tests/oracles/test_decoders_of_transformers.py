"""Architectures as configurations of our parts, against transformers' models of them."""

from fractions import Fraction

import pytest
import torch
from tiny_models import ARCHITECTURES, make_pair
from tiny_parts import CONTEXT, EXPERTS, WINDOW, V
from wide_transformers import in_float64

from course_lib.counts.decoder import active_parameters, decoder_parameters
from course_lib.model.initialise import num_parameters

B, T = 2, 23  # more than four windows
#: Measured over three seeds, on logits of up to 4.6: at most 4.4e-6, and 8.4e-6 for OLMo 2, whose
#: norms inside the residual magnify what seven layers round off. Granite's logits go up to 12.
FLOAT32_BOUND = dict.fromkeys(ARCHITECTURES, 1e-5) | {
    "OLMo 2": 2e-5,
    "Olmo 3": 2e-5,
    "Granite": 2e-5,
    "GPT-2": 3e-6,
}
#: transformers rotates by angles in float32 in a float64 model, too; GPT-2 has none.
FLOAT64_BOUND = dict.fromkeys(ARCHITECTURES, 1e-5) | {"GPT-2": 1e-12}
#: A norm stands behind what a state answers, and makes a small answer large, with what float32
#: rounded in it. Measured over three seeds: 2.7e-3 between theirs and ours, and 3.7e-3 and 5.5e-3
#: from the logits in float64. So they are compared in float64 throughout, below.
STATES = ("Qwen3-Next", "Qwen3.5")
FLOAT32_BOUND |= dict.fromkeys(STATES, 1e-2)
FLOAT64_BOUND |= dict.fromkeys(STATES, 1e-2)
NAMES = sorted(ARCHITECTURES)


def ids(seed: int = 3) -> torch.Tensor:
    return torch.randint(0, V, (B, T), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_those_of_transformers(name: str) -> None:
    theirs, ours = make_pair(name)
    with torch.no_grad():
        expected, logits = theirs(ids()).logits, ours(ids())
    assert expected.abs().max() > 1  # not the silence of small weights
    error = (logits - expected).abs().max().item()
    assert error < FLOAT32_BOUND[name], f"{error:.2e}"
    with torch.no_grad():
        error = (ours.double()(ids()) - theirs.double()(ids()).logits).abs().max().item()
    assert error < FLOAT64_BOUND[name], f"{error:.2e}"


@pytest.mark.parametrize("name", NAMES)
def test_token_by_token_through_the_cache(name: str) -> None:
    theirs, ours = make_pair(name, seed=1)
    tokens = ids()
    assert T > 2 * WINDOW
    with torch.no_grad():
        expected = theirs(tokens).logits
        caches = ours.new_caches()
        rows = [ours(tokens[:, t : t + 1], caches) for t in range(T)]
        error = (torch.cat(rows, dim=1) - expected).abs().max().item()
        assert error < FLOAT32_BOUND[name], f"token by token: {error:.2e}"
        caches = ours.new_caches()
        chunks = [ours(chunk, caches) for chunk in tokens.split([9, 1, 8, 5], dim=1)]
        error = (torch.cat(chunks, dim=1) - expected).abs().max().item()
        assert error < FLOAT32_BOUND[name], f"in chunks: {error:.2e}"


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_counted_as_transformers_counts_them(name: str) -> None:
    theirs, ours = make_pair(name)
    expected = sum(weight.numel() for weight in theirs.parameters())
    assert num_parameters(ours) == expected
    assert decoder_parameters(ARCHITECTURES[name].ours) == expected


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("Mixtral", 2),
        ("Qwen3 MoE", 3),
        ("gpt-oss", 4),
        ("GLM-4.5", 3),
        ("MiniMax-M2", 4),
        ("DeepSeek-V3 with experts", 3),
        ("DeepSeek-V2 with experts", 3),
        ("Llama 4", 2),
        ("Qwen3-Next", 3),
        ("Qwen3.5", 3),
    ],
)
def test_active_are_the_experts_of_one_token_and_no_embedding(name: str, used: int) -> None:
    theirs, _ = make_pair(name)
    active = Fraction(0)
    for key, weight in theirs.named_parameters():
        share = Fraction(used, EXPERTS) if ".experts." in key else 1
        active += share * weight.numel() * ("embed_tokens" not in key)
    assert active_parameters(ARCHITECTURES[name].ours) == active


@pytest.mark.parametrize("name", STATES)
def test_layers_with_a_state_in_float64_throughout(name: str) -> None:
    """Whole, in chunks, token by token, and in their gradients; measured: at most 1.5e-11."""
    with in_float64():
        theirs, ours = (model.double() for model in make_pair(name, seed=2))
        expected = theirs(ids()).logits
        assert expected.dtype == torch.float64
        for cuts in ([T], [9, 1, 8, 5], [1] * T):
            caches = ours.new_caches()
            with torch.no_grad():
                chunks = [ours(chunk, caches) for chunk in ids().split(cuts, dim=1)]
            assert (torch.cat(chunks, dim=1) - expected).abs().max() < 1e-9
        assert_same_gradients(name, expected, ours(ids()), theirs, ours, 1e-9)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in STATES])
def test_gradients_are_those_of_transformers(name: str) -> None:
    theirs, ours = make_pair(name, seed=2)
    assert_same_gradients(name, theirs(ids()).logits, ours(ids()), theirs, ours, 1e-5)


def assert_same_gradients(
    name: str,
    expected: torch.Tensor,
    logits: torch.Tensor,
    theirs: torch.nn.Module,
    ours: torch.nn.Module,
    bound: float,
) -> None:
    weight = torch.randn(B, T, V, generator=torch.Generator().manual_seed(0)).to(logits.dtype)
    (expected * weight).sum().backward()
    (logits * weight).sum().backward()
    grads = {key: value.grad for key, value in theirs.named_parameters()}
    assert all(grad is not None for grad in grads.values())
    # The biases that balance loads are no parameters, but a checkpoint has them.
    grads |= {key: bias for key, bias in theirs.named_buffers() if "correction_bias" in key}
    converted = ARCHITECTURES[name].convert(grads, ARCHITECTURES[name].ours)
    scale = max(grad.abs().max().item() for grad in converted.values())
    for key, parameter in ours.named_parameters():
        # Relative to the model's largest gradient: that of a key's bias is zero but for rounding.
        error = (parameter.grad - converted[key]).abs().max().item() / scale
        assert error < bound, f"{key}: {error:.2e}"


def test_learned_positions_run_out() -> None:
    _, ours = make_pair("GPT-2")
    with pytest.raises(ValueError, match=str(CONTEXT)):
        ours(torch.zeros(1, CONTEXT + 1, dtype=torch.int64))
