"""Checkpoints: what is missing or left over is said by name."""

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from tiny_models import ARCHITECTURES, make_pair
from tiny_parts import CONTEXT, EXPERTS, L
from torch import Tensor

from course_lib.checkpoints.bert import from_bert
from course_lib.checkpoints.bloom import from_bloom
from course_lib.checkpoints.deepseek import from_deepseek
from course_lib.checkpoints.falcon import from_falcon
from course_lib.checkpoints.gpt2 import from_gpt2
from course_lib.checkpoints.interleaved import from_cohere
from course_lib.checkpoints.llama import from_llama
from course_lib.checkpoints.mpt import from_mpt
from course_lib.checkpoints.names import Checkpoint
from course_lib.config.arrangement import PostNorm
from course_lib.config.decoder import Unembedding
from course_lib.config.experts import ClampedMixtureConfig
from course_lib.model.decoder import Decoder
from course_lib.zoo.gpt_oss import GPT_OSS_20B, gpt_oss_layers

NAMES = sorted(ARCHITECTURES)
TIED = [name for name in NAMES if ARCHITECTURES[name].ours.is_tied]
#: What converts -> their name of the embedding.
EMBEDDINGS = {
    from_gpt2: "transformer.wte.weight",
    from_falcon: "transformer.word_embeddings.weight",
    from_llama: "model.embed_tokens.weight",
    from_mpt: "transformer.wte.weight",
    from_cohere: "model.embed_tokens.weight",
    from_bloom: "transformer.word_embeddings.weight",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_tensor_is_named(name: str) -> None:
    theirs, _ = make_pair(name)
    architecture = ARCHITECTURES[name]
    state = theirs.state_dict()
    lost = next(key for key in state if ".3." in key and key.endswith("weight"))
    shorter = {key: tensor for key, tensor in state.items() if key != lost}
    with pytest.raises(ValueError, match=f"'{lost}' is missing among {len(shorter)} tensors"):
        architecture.convert(shorter, architecture.ours)


@pytest.mark.parametrize("name", NAMES)
def test_a_tensor_without_a_place_is_named(name: str) -> None:
    theirs, _ = make_pair(name)
    architecture = ARCHITECTURES[name]
    state = {**theirs.state_dict(), "stranger": torch.zeros(2)}
    message = f"1 of {len(state)} have none, the first is 'stranger'"
    with pytest.raises(ValueError, match=message):
        architecture.convert(state, architecture.ours)


@pytest.mark.parametrize(
    ("name", "known"), [("Llama 3", "InnerNorm, .*"), ("MPT with 8 heads", "PreNorm")]
)
def test_an_arrangement_without_names_is_refused(name: str, known: str) -> None:
    theirs, _ = make_pair(name)
    architecture = ARCHITECTURES[name]
    layers = architecture.ours.layers
    other = replace(layers[2], arrangement=PostNorm())
    config = replace(architecture.ours, layers=(*layers[:2], other, *layers[3:]))
    with pytest.raises(ValueError, match=rf"{known}; layer 2 of 7 has PostNorm"):
        architecture.convert(theirs.state_dict(), config)


def test_falcons_alibi_is_not_ours() -> None:
    ours, mpt = (ARCHITECTURES[name].ours for name in ("Falcon", "MPT with 8 heads"))
    other = replace(ours.layers[3], attention=mpt.layers[0].attention)
    config = replace(ours, layers=(*ours.layers[:3], other, *ours.layers[4:]))
    with pytest.raises(ValueError, match=r"not ours; 1 of 7 layers have ALiBi, layer 3 first"):
        from_falcon({}, config)


def test_a_deepseek_checkpoint_has_latent_attention() -> None:
    theirs, _ = make_pair("DeepSeek-V2")
    ours, llama = ARCHITECTURES["DeepSeek-V2"].ours, ARCHITECTURES["Llama 3"].ours
    config = replace(ours, layers=(ours.layers[0], *llama.layers[1:]))
    with pytest.raises(ValueError, match="layer 1 of 7 has CausalAttentionConfig"):
        from_deepseek(theirs.state_dict(), config)


def test_bert_needs_all_its_layers() -> None:
    with pytest.raises(ValueError, match=r"'embeddings\.word_embeddings\.weight' is missing"):
        from_bert({}, num_layers=1)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_ours_stays_empty(name: str) -> None:
    theirs, _ = make_pair(name)
    architecture = ARCHITECTURES[name]
    converted = architecture.convert(theirs.state_dict(), architecture.ours)
    assert set(converted) == set(Decoder(architecture.ours).state_dict())


@pytest.mark.parametrize("name", TIED)
def test_a_second_copy_of_a_tied_table_may_be_there_or_not(name: str) -> None:
    theirs, _ = make_pair(name)
    architecture = ARCHITECTURES[name]
    state = theirs.state_dict()
    assert torch.equal(state["lm_head.weight"], state[EMBEDDINGS[architecture.convert]])
    converted = architecture.convert(state, architecture.ours)
    alone = {key: tensor for key, tensor in state.items() if key != "lm_head.weight"}
    again = architecture.convert(alone, architecture.ours)
    wide = state["lm_head.weight"].double()  # the same numbers
    assert architecture.convert({**state, "lm_head.weight": wide}, architecture.ours)
    assert set(again) == set(converted)
    assert "unembedding" not in converted


@pytest.mark.parametrize("name", TIED)
def test_a_tied_model_refuses_a_second_table(name: str) -> None:
    theirs, _ = make_pair(name)
    architecture = ARCHITECTURES[name]
    state = theirs.state_dict()
    own = state["lm_head.weight"].clone()
    own[-1, -1] += 1e-3
    table = EMBEDDINGS[architecture.convert]
    for second in (own, own[:-1], own.double()):
        shapes = rf"\({len(second)}, 48\) and \(97, 48\) in {second.dtype} and torch.float32"
        message = (
            f"'lm_head.weight' is not '{table}', so the checkpoint is not tied; shapes {shapes}"
        )
        with pytest.raises(ValueError, match=message):
            architecture.convert({**state, "lm_head.weight": second}, architecture.ours)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_is_not_tied_takes_the_table_of_the_logits(name: str) -> None:
    theirs, _ = make_pair(name)
    architecture = ARCHITECTURES[name]
    untied = replace(architecture.ours, unembedding=Unembedding.OWN)
    own = torch.arange(97.0 * 48).reshape(97, 48)
    state = {**theirs.state_dict(), "lm_head.weight": own}
    converted = architecture.convert(state, untied)
    assert torch.equal(converted["unembedding"], own.T)
    Decoder(untied).load_state_dict(converted)
    del state["lm_head.weight"]
    with pytest.raises(ValueError, match=f"'lm_head.weight' is missing among {len(state)} tensors"):
        architecture.convert(state, untied)


def older(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A GPT-2 as files of 2019 to 2023 hold it: the masks, which were buffers then, among it."""
    masks = {}
    for layer in range(L):
        ones = torch.ones(CONTEXT, CONTEXT, dtype=torch.uint8)
        masks[f"transformer.h.{layer}.attn.bias"] = ones.tril().view(1, 1, CONTEXT, CONTEXT)
        masks[f"transformer.h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    return {**state, **masks}


def bare(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As GPT2Model saves it: without the prefix, and without a second table."""
    names = {key: key.removeprefix("transformer.") for key in state if key != "lm_head.weight"}
    return {names[key]: state[key] for key in names}


def oldest(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As the first conversions named them: gains g, weights w, shifts and biases b."""
    short = {
        key: re.sub(r"\.bias$", ".b", re.sub(r"(ln_\w)\.weight$", r"\1.g", key)) for key in state
    }
    return {re.sub(r"(c_\w+)\.weight$", r"\1.w", short[key]): state[key] for key in state}


def tensorflow(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As TensorFlow's files name a norm's gain and shift: gamma and beta."""
    gains = {key: re.sub(r"(ln_\w)\.weight$", r"\1.gamma", key) for key in state}
    return {re.sub(r"(ln_\w)\.bias$", r"\1.beta", gains[key]): state[key] for key in state}


OLDER = {
    "masks": older,
    "no prefix": bare,
    "no prefix, masks": lambda state: bare(older(state)),
    "g, w and b": oldest,
    "gamma and beta": tensorflow,
    "gamma and beta, no prefix": lambda state: bare(tensorflow(state)),
    "g, w and b, no prefix": lambda state: bare(oldest(state)),
}


@pytest.mark.parametrize("name", OLDER)
def test_older_files_of_gpt2_are_read_like_new_ones(name: str) -> None:
    theirs, _ = make_pair("GPT-2")
    state, config = theirs.state_dict(), ARCHITECTURES["GPT-2"].ours
    before = OLDER[name](state)
    assert set(before) != set(state)
    converted, expected = from_gpt2(before, config), from_gpt2(state, config)
    assert set(converted) == set(expected)
    assert all(torch.equal(converted[key], expected[key]) for key in expected)


def test_a_name_that_is_there_twice_is_refused() -> None:
    theirs, _ = make_pair("GPT-2")
    state = theirs.state_dict()
    state["h.2.ln_1.g"] = torch.zeros(48)
    message = rf"'h.2.ln_1.g' is 'transformer.h.2.ln_1.weight' once more, among {len(state)}"
    with pytest.raises(ValueError, match=message):
        from_gpt2(state, ARCHITECTURES["GPT-2"].ours)


def test_a_mask_is_left_out_by_its_whole_name() -> None:
    theirs, _ = make_pair("GPT-2")
    state = theirs.state_dict()
    state["transformer.h.2.mlp.masked_bias"] = torch.zeros(48)
    with pytest.raises(ValueError, match=r"'transformer\.h\.2\.mlp\.masked_bias'"):
        from_gpt2(state, ARCHITECTURES["GPT-2"].ours)


def test_matrices_are_turned() -> None:
    weight = torch.arange(6.0).reshape(2, 3)
    checkpoint = Checkpoint({"layer.weight": weight})
    assert torch.equal(checkpoint.matrix("layer"), weight.T)
    checkpoint.finish()


@pytest.mark.parametrize(
    ("name", "router", "expert", "parts"),
    [
        ("Qwen3 MoE", "mlp.gate", "mlp.experts.{}", ("gate_proj", "up_proj", "down_proj")),
        ("Mixtral", "block_sparse_moe.gate", "block_sparse_moe.experts.{}", ("w1", "w3", "w2")),
    ],
)
def test_experts_that_are_stored_one_by_one(
    name: str, router: str, expert: str, parts: tuple[str, str, str]
) -> None:
    """Store the experts of a model each by itself, as the release does, and load both."""
    theirs, ours = make_pair(name)
    state = theirs.state_dict()
    for layer in range(L):
        start = f"model.layers.{layer}."
        state[f"{start}{router}.weight"] = state.pop(f"{start}mlp.gate.weight")
        gate, up = state.pop(f"{start}mlp.experts.gate_up_proj").chunk(2, dim=1)
        down = state.pop(f"{start}mlp.experts.down_proj")
        for e in range(EXPERTS):
            for part, tensor in zip(parts, (gate, up, down), strict=True):
                state[f"{start}{expert.format(e)}.{part}.weight"] = tensor[e]
    loaded = from_llama(state, ARCHITECTURES[name].ours)
    assert all(torch.equal(loaded[key], tensor) for key, tensor in ours.state_dict().items())
    lost = f"model.layers.2.{expert.format(5)}.{parts[1]}.weight"
    shorter = {key: tensor for key, tensor in state.items() if key != lost}
    with pytest.raises(ValueError, match=re.escape(f"'{lost}' is missing")):
        from_llama(shorter, ARCHITECTURES[name].ours)


def test_the_experts_of_gpt_oss_in_four_bits() -> None:
    """Blocks of 32 numbers: 16 bytes of two fours, and a scale, as the released file has them."""
    heads = replace(GPT_OSS_20B.layers[0].attention, num_heads=2, num_kv_heads=1)
    experts = ClampedMixtureConfig(num_experts=3, experts_per_token=2, d_ff=64)
    config = replace(
        GPT_OSS_20B, vocab_size=5, d_model=32, layers=gpt_oss_layers(2, heads, experts, window=4)
    )
    generator = torch.Generator().manual_seed(0)
    state = {
        "model.embed_tokens.weight": torch.randn(5, 32, generator=generator),
        "lm_head.weight": torch.randn(5, 32, generator=generator),
        "model.norm.weight": torch.ones(32),
    }
    for layer in range(2):
        start = f"model.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            state[f"{start}{norm}.weight"] = torch.ones(32)
        for letter, (rows, columns) in zip(
            "qkvo", ((128, 32), (64, 32), (64, 32), (32, 128)), strict=True
        ):
            name = f"{start}self_attn.{letter}_proj"
            state[f"{name}.weight"] = torch.randn(rows, columns, generator=generator)
            state[f"{name}.bias"] = torch.randn(rows, generator=generator)
        state[f"{start}self_attn.sinks"] = torch.randn(2, generator=generator)
        state[f"{start}mlp.router.weight"] = torch.randn(3, 32, generator=generator)
        state[f"{start}mlp.router.bias"] = torch.randn(3, generator=generator)
        for part, (out, blocks) in (("gate_up_proj", (128, 1)), ("down_proj", (32, 2))):
            name = f"{start}mlp.experts.{part}"
            state[f"{name}_bias"] = torch.randn(3, out, generator=generator)
            shape = (3, out, blocks)
            codes = torch.randint(0, 256, (*shape, 16), generator=generator)
            state[f"{name}_blocks"] = codes.to(torch.uint8)
            scales = torch.randint(120, 130, shape, generator=generator)
            state[f"{name}_scales"] = scales.to(torch.uint8)
    ours = Decoder(config)
    ours.load_state_dict(from_llama(state, config))
    experts_of_last = ours.state_dict()["blocks.1.feed_forward.w_down"]
    assert experts_of_last.shape == (3, 64, 32)
    # By hand: of expert 2, the second block of row 7 is 32 of its 64 inputs to output 7.
    name = "model.layers.1.mlp.experts.down_proj"
    codes = state[f"{name}_blocks"][2, 7, 1].tolist()
    scale = 2.0 ** (state[f"{name}_scales"][2, 7, 1].item() - 127)
    values = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
    numbers = [
        scale * values[code & 7] * (-1 if code & 8 else 1)
        for byte in codes
        for code in (byte & 15, byte >> 4)
    ]
    assert experts_of_last[2, 32:, 7].tolist() == numbers
    state.pop(f"{name}_scales")
    with pytest.raises(ValueError, match="down_proj_scales' is missing"):
        from_llama(state, config)
