"""Models on one page, against transformers' models and the Decoder that feeds them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import pytest
import torch
import transformers as hf
from tiny_models import draw_all, make_pair
from tiny_parts import C, D, F, G, H, L, V
from torch import Tensor, nn
from torch.testing import assert_close

from course_lib.checkpoints.llama import from_llama
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import DecoderConfig, Unembedding
from course_lib.config.experts import ClampedMixtureConfig
from course_lib.config.rope import RopeConfig
from course_lib.model.decoder import Decoder
from course_lib.on_one_page.gpt2 import gpt2
from course_lib.on_one_page.gpt_oss import gpt_oss
from course_lib.on_one_page.llama import llama
from course_lib.zoo.gpt_oss import GPT_OSS_20B, gpt_oss_layers
from course_lib.zoo.llama import llama_layer

B, T, E = 3, 29, 7
Page = Callable[[Mapping[str, Tensor], Tensor], Tensor]


def llama_pair(base: float, num_kv_heads: int, is_tied: bool) -> tuple[nn.Module, Decoder]:
    """Draw one Llama of transformers, with the eps of the released ones, and load it into ours."""
    theirs = hf.LlamaForCausalLM(
        hf.LlamaConfig(
            vocab_size=V,
            hidden_size=C,
            intermediate_size=F,
            num_hidden_layers=L,
            num_attention_heads=H,
            num_key_value_heads=num_kv_heads,
            head_dim=D,
            rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": base},
            tie_word_embeddings=is_tied,
            attn_implementation="eager",
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=None,
        )
    ).eval()
    draw_all(theirs, seed=4)
    heads = CausalAttentionConfig(
        num_heads=H,
        num_kv_heads=num_kv_heads,
        head_dim=D,
        rope=RopeConfig(base=base, rotary_dim=D),
    )
    layer = llama_layer(heads, F)
    config = DecoderConfig(
        vocab_size=V,
        d_model=C,
        context_length=T,
        layers=(layer,) * L,
        final_norm=layer.norm,
        unembedding=Unembedding.TIED if is_tied else Unembedding.OWN,
    )
    ours = Decoder(config)
    ours.load_state_dict(from_llama(theirs.state_dict(), config))
    return theirs, ours.eval()


def llama_page(base: float, num_kv_heads: int) -> Page:
    return partial(llama, num_layers=L, num_heads=H, num_kv_heads=num_kv_heads, rope_base=base)


def gpt_oss_pair() -> tuple[nn.Module, Decoder]:
    """Draw a narrow gpt-oss with the released bases, windows and numbers of experts for a token."""
    theirs = hf.GptOssForCausalLM(
        hf.GptOssConfig(
            vocab_size=V,
            hidden_size=C,
            intermediate_size=F,
            num_hidden_layers=4,
            num_attention_heads=H,
            num_key_value_heads=G,
            head_dim=D,
            num_local_experts=E,
            attn_implementation="eager",
            experts_implementation="eager",
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=None,
        )
    ).eval()
    draw_all(theirs, seed=4)
    released = GPT_OSS_20B.layers[1].attention
    heads = replace(
        released, num_heads=H, num_kv_heads=G, head_dim=D, rope=replace(released.rope, rotary_dim=D)
    )
    experts = ClampedMixtureConfig(num_experts=E, experts_per_token=4, d_ff=F)
    config = replace(
        GPT_OSS_20B, vocab_size=V, d_model=C, layers=gpt_oss_layers(4, heads, experts, window=128)
    )
    ours = Decoder(config)
    ours.load_state_dict(from_llama(theirs.state_dict(), config))
    return theirs, ours.eval()


GPT2 = (partial(make_pair, "GPT-2"), partial(gpt2, num_layers=L, num_heads=H))
LLAMA_2 = (partial(llama_pair, 1e4, H, False), llama_page(1e4, H))
LLAMA_3 = (partial(llama_pair, 5e5, G, False), llama_page(5e5, G))
LLAMA_32 = (partial(llama_pair, 5e5, G, True), llama_page(5e5, G))
GPT_OSS = (gpt_oss_pair, partial(gpt_oss, num_layers=4))
PAGES = {
    "GPT-2": GPT2,
    "Llama 2": LLAMA_2,
    "Llama 3": LLAMA_3,
    "Llama 3.2, tied": LLAMA_32,
    "gpt-oss": GPT_OSS,
}
#: The window of gpt-oss is 128, so that some keys are out of reach.
LENGTHS = dict.fromkeys(PAGES, T) | {"gpt-oss": 141}


def ids(name: str) -> Tensor:
    shape = (B, LENGTHS[name])
    return torch.randint(0, V, shape, generator=torch.Generator().manual_seed(6))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_computes_what_transformers_computes(name: str) -> None:
    make, page = PAGES[name]
    theirs, ours = make()
    with torch.no_grad():
        expected = theirs(ids(name)).logits
        assert expected.abs().max() > 1  # not the silence of small weights
        error = (page(ours.state_dict(), ids(name)) - expected).abs().max().item()
        assert error < 1e-5, f"float32: {error:.2e}"
        theirs, ours = theirs.double(), ours.double()
        error = (page(ours.state_dict(), ids(name)) - theirs(ids(name)).logits).abs().max().item()
        # transformers turns by float32 angles, also in float64; GPT-2 has no angles.
        bound = 1e-12 if name == "GPT-2" else 1e-5
        assert error < bound, f"float64: {error:.2e}"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_computes_what_the_decoder_computes(name: str) -> None:
    make, page = PAGES[name]
    _, ours = make()
    ours = ours.double()
    assert_close(page(ours.state_dict(), ids(name)), ours(ids(name)).detach(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", PAGES)
def test_gradients_flow_through_a_page_as_through_the_decoder(name: str) -> None:
    make, page = PAGES[name]
    _, ours = make()
    ours = ours.double()
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(B, LENGTHS[name], V, dtype=torch.float64, generator=generator)
    expected = torch.autograd.grad((ours(ids(name)) * weight).sum(), list(ours.parameters()))
    logits = page(dict(ours.named_parameters()), ids(name))
    grads = torch.autograd.grad((logits * weight).sum(), list(ours.parameters()))
    for ours_grad, expected_grad in zip(grads, expected, strict=True):
        assert_close(ours_grad, expected_grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", PAGES)
def test_one_token_and_no_other_batch(name: str) -> None:
    make, page = PAGES[name]
    _, ours = make()
    weights = ours.double().state_dict()
    whole = page(weights, ids(name))
    assert_close(page(weights, ids(name)[:, :1]), whole[:, :1])
    assert_close(page(weights, ids(name)[1:2, :11]), whole[1:2, :11])
