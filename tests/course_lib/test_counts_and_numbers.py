"""True, 2.0 and None where something is counted, True and a text where a formula takes a number.

One call for each public function and class that takes either; a test finds all that do.
"""

import importlib
import inspect
import pkgutil
import re
import types
import typing
from collections.abc import Callable

import numpy as np
import pytest
import torch

import course_lib
from course_lib.attention import contributions, grouped, heads, latent, qk_norm, score_steps
from course_lib.attention.latent_parameters import LatentParameters
from course_lib.cache import buffer, growing, rolling
from course_lib.cache import latent as latent_cache
from course_lib.checkpoints import bert
from course_lib.config import (
    arrangement,
    attention,
    attention_parts,
    classifier,
    decoder,
    encoder,
    feed_forward,
    norms,
    rope,
)
from course_lib.config import delta_rule as delta_config
from course_lib.config import experts as experts_config
from course_lib.config import latent as latent_config
from course_lib.counts import attention as attention_counts
from course_lib.counts import cache as cache_counts
from course_lib.counts import capacity as state_capacity
from course_lib.counts import decoder as decoder_counts
from course_lib.counts import feed_forward as feed_forward_counts
from course_lib.counts import gpt3, paths, traffic
from course_lib.counts import norms as norm_counts
from course_lib.efficient import (
    block_sparse,
    chunked_feed_forward,
    kernel_attention,
    learnt_index,
    low_rank,
    lsh,
    performer,
    sliding,
    sparse_masks,
    streaming,
)
from course_lib.efficient import reach as layer_reach
from course_lib.entropy import entropy
from course_lib.exact import blockwise, blockwise_forward, reach, shards, splits
from course_lib.exact.blockwise_backward import blockwise_backward
from course_lib.exact.feed_forward import blockwise_feed_forward
from course_lib.exact.fused import attend_then_feed
from course_lib.experts import (
    affine_router,
    balance,
    capacity,
    dispatch,
    expert_choice,
    input_weighted,
    routed,
    router,
    softmax_router,
)
from course_lib.experts import fitting as expert_fitting
from course_lib.generation import choice, logits, prompts, translation, writing
from course_lib.labelling import spans
from course_lib.layers import gates
from course_lib.layers import norms as norm_functions
from course_lib.layers.activations import relu
from course_lib.lookup import kernel_regression, soft_lookup
from course_lib.masks import causal_mask, distances, padding_mask, window_mask
from course_lib.model import (
    blocks,
    both_ways,
    feed_forward_modules,
    initialise,
    mixture_modules,
    multi_head,
    norm_modules,
    padded_reading,
    reading,
    vision,
)
from course_lib.model import encoder as encoder_model
from course_lib.model.attention_modules import alibi, causal
from course_lib.model.attention_modules import choice as attention_choice
from course_lib.model.attention_modules import delta_rule as delta_module
from course_lib.model.attention_modules import latent as latent_module
from course_lib.patterns import make_qk_for
from course_lib.positions import absolute, rope_scaling, rotation_table
from course_lib.positions import alibi as alibi_positions
from course_lib.positions import rope as rope_positions
from course_lib.recurrence import seq2seq, seq2seq_attention
from course_lib.scaling import growing_scale, saturation, score_variance, softmax_scale
from course_lib.softmax import log_softmax, logsumexp, softmax, softmax_vjp, softmax_with_sink
from course_lib.tokenizer.bpe import bpe_train
from course_lib.training import accumulation, loop, loss, models, recipes, tasks, text
from course_lib.zoo import gemma, gpt, gpt_oss, olmo, qwen3_next, vaswani
from course_lib.zoo import llama as llama_zoo

GENERATOR = torch.Generator().manual_seed(0)
CPU = torch.device("cpu")
X, GAIN, IDS = torch.ones(2, 3, 8), torch.ones(8), torch.tensor([[1, 2, 3]])
LOGITS, FREQUENCIES, POSITIONS = torch.zeros(1, 3, 7), torch.tensor([1.0, 0.5]), torch.arange(3)
QUERY = torch.ones(1, 2, 3, 4)
QKV = {"query": QUERY, "key": QUERY, "value": QUERY}
HEADS = attention.CausalAttentionConfig(num_heads=2, num_kv_heads=2, head_dim=4)
SWIGLUS = experts_config.GatedMixtureConfig(num_experts=3, experts_per_token=2, d_ff=5)
AFFINE = experts_config.AffinityMixtureConfig(num_experts=3, experts_per_token=2, d_ff=5)
SHARED_OUT = experts_config.ShareMixtureConfig(num_experts=3, experts_per_token=2, d_ff=5)
WEIGHED = experts_config.InputWeightedMixtureConfig(
    num_experts=3, experts_per_token=2, d_ff=5, num_shared=1
)
GATE_SHARED = experts_config.GatedSharedMixtureConfig(num_experts=3, experts_per_token=2, d_ff=5)
STATES = {"num_heads": 2, "num_key_heads": 1, "head_dim": 4, "value_dim": 3, "window": 2}
DELTA = delta_config.GatedDeltaRuleConfig(**STATES, norm=norms.RMSNormConfig(eps=1e-6))
MIXED = experts_config.ClampedMixtureConfig(num_experts=3, experts_per_token=2, d_ff=5)
ALIBI = attention.AlibiAttentionConfig(num_heads=2, num_kv_heads=2, head_dim=4)
ROPE = rope.RopeConfig(base=10.0, rotary_dim=4)
LATENT = latent_config.LatentAttentionConfig(
    num_heads=2, head_dim=4, value_dim=3, latent_dim=5, rope=ROPE
)
PLAIN = feed_forward.PlainFeedForwardConfig(d_ff=5, activation=relu, has_bias=True)
GATED = feed_forward.GatedFeedForwardConfig(d_ff=5, activation=relu)
NORM = norms.RMSNormConfig(eps=1e-6)
LAYER = decoder.LayerConfig(attention=HEADS, feed_forward=GATED, norm=NORM)
DECODER = models.draw_decoder(models.small_rotary(7, 1, 8, 2), GENERATOR)
TRANSLATOR = models.draw_encoder_decoder(models.small_encoder_decoder(7, 1, 8, 2), GENERATOR)
STACK = {"d_model": 8, "num_heads": 2, "head_dim": 4, "num_layers": 1}
STACK |= {"feed_forward": PLAIN, "norm": NORM, "has_bias": True}
SMALL = {"vocab_size": 7, "num_layers": 1, "d_model": 8, "num_heads": 2}
SIZE = {"config": HEADS, "d_model": 8}
BLOCK = {"config": LAYER, "d_model": 8}
NORM_SIZE = {"size": 8, "eps": 1e-6}
TASK = {"batch_size": 2, "length": 3, "vocab_size": 7, "generator": GENERATOR}
YARN = {"rotary_dim": 8, "base": 1e4, "context": 64, "factor": 4.0, "alpha": 1.0, "beta": 4.0}
GENERATE = {"model": DECODER, "ids": IDS, "n": 2}
PARAMETERS = LatentParameters(
    w_dkv=torch.ones(8, 5),
    g_kv=torch.ones(5),
    w_kr=torch.ones(8, 4),
    w_uk=torch.ones(5, 8),
    w_uv=torch.ones(5, 6),
)
MATRICES = dict.fromkeys(("w_q", "w_k", "w_v", "w_o"), torch.ones(8, 8))
TABLE = rotation_table.rotation_table(POSITIONS, FREQUENCIES)

KEYS = {"query": QUERY, "key": QUERY, "value": QUERY}
REACH = {"num_queries": 3, "num_keys": 3, "causal": True}
RESULT = (QUERY, QUERY[..., 0])
CHOICES = torch.tensor([[[0, 1], [1, 0], [0, 1]]])
ROUTED = {"x": X, "w_gate": torch.ones(8, 4), "A": 2, "bias": torch.zeros(4)}

#: What takes a count or a number -> a call that is right.
CALLS: dict[Callable[..., object], dict[str, object]] = {
    blockwise.blockwise_attention: {**KEYS, "causal": True, "window": 2, "block": 2},
    blockwise_backward: {
        "qkv": (QUERY, QUERY, QUERY), "result": RESULT, "gradient": RESULT,
        "reach": reach.Reach(**REACH), "block_q": 2, "block_k": 2,
    },
    blockwise_forward.blockwise_forward: {
        **KEYS, "reach": reach.Reach(**REACH), "block_q": 2, "block_k": 2,
    },
    blockwise_forward.flash_forward: {**KEYS, "block_q": 2, "block_k": 2, "causal": True},
    blockwise_feed_forward: {
        "x": X, "w_in": torch.ones(8, 5), "w_out": torch.ones(5, 8), "block": 2,
    },
    attend_then_feed: {**KEYS, "causal": True, "feed": relu, "block": 2},
    reach.Reach: {**REACH, "window": 2},
    splits.split_kv: {**KEYS, "splits": 2},
    balance.bias_update: {"load": IDS[0], "bias": torch.zeros(3), "rate": 0.1},
    balance.expert_load: {"experts": CHOICES, "E": 4},
    capacity.capacity_dispatch: {"experts": CHOICES, "E": 4, "factor": 1.5},
    capacity.expert_capacity: {"T": 2, "A": 2, "E": 4, "factor": 1.5},
    dispatch.expert_dispatch: {"experts": CHOICES[0], "E": 4, "P": 2},
    expert_choice.expert_choice: {"x": X[0], "w_gate": torch.ones(8, 4), "capacity": 2},
    expert_fitting.require_choices: {"experts": CHOICES, "E": 4},
    expert_fitting.require_experts_per_token: {"A": 2, "E": 4},
    router.choose: {"priorities": X, "A": 2},
    router.grouped_sigmoid_router: {**ROUTED, "num_groups": 2, "groups_kept": 1},
    router.limit_groups: {"priorities": X, "num_groups": 2, "groups_kept": 1},
    router.sigmoid_router: ROUTED,
    router.topk_router: ROUTED,
    grouped.mha_to_gqa: {"w_k": X[0], "G": 1, "H": 2},
    contributions.head_contribution: {
        "x": X, **MATRICES, "b_o": GAIN, "num_heads": 2, "head": 1,
    },
    heads.cross_attention: {"x": X, "context": X, **MATRICES, "num_heads": 2},
    heads.multi_head_attention: {"x": X, **MATRICES, "num_heads": 2},
    heads.mha_flops: dict.fromkeys("BTSCHD", 2),
    heads.mha_param_count: {**dict.fromkeys("CHD", 2), "bias": True},
    heads.split_heads: {"x": X, "num_heads": 2},
    latent.compress: {"x": X, "w_down": torch.ones(8, 5), "g": torch.ones(5), "eps": 1e-6},
    latent.latent_keys: {"x": X, "parameters": PARAMETERS, "table": TABLE, "eps": 1e-6},
    latent.latent_queries: {
        "x": X, "w_q": torch.ones(8, 8), "w_qr": torch.ones(8, 8), "num_heads": 2, "table": TABLE,
    },
    qk_norm.normalise_heads: {
        "query": QUERY, "key": QUERY, "g_q": GAIN[:4], "g_k": GAIN[:4], "eps": 1e-6,
    },
    qk_norm.normalise_projections: {"query": X, "key": X, "g_q": GAIN, "g_k": GAIN, "eps": 1e-6},
    score_steps.soft_cap: {"scores": X, "cap": 5.0},
    buffer.Buffer: {"name": "key", "capacity": 2},
    growing.KVCache: {"capacity": 2},
    latent_cache.LatentCache: {"capacity": 2},
    rolling.RollingKVCache: {"window": 2},
    rolling.rolling_write: {"ring": X, "new": X, "position": 2},
    bert.from_bert: {"tensors": {}, "num_layers": 1},
    arrangement.ScaledPreNorm: {"factor": 2.0},
    attention.AlibiAttentionConfig: {"num_heads": 2, "num_kv_heads": 1, "head_dim": 4},
    attention.CausalAttentionConfig: {"num_heads": 2, "num_kv_heads": 1, "head_dim": 4},
    attention_parts.QueryPreAttnScalar: {"scalar": 2.0},
    attention_parts.ScoreFactor: {"factor": 2.0},
    attention_parts.SoftCap: {"cap": 2.0},
    attention_parts.Window: {"size": 2},
    decoder.DecoderConfig: {
        "vocab_size": 7, "d_model": 8, "context_length": 9, "layers": (LAYER,), "final_norm": NORM,
        "unembedding": decoder.Unembedding.TIED,
    },
    decoder.EmbeddingScale: {"factor": 2.0},
    decoder.LogitFactor: {"factor": 2.0},
    classifier.TokenClassifierConfig: {
        "vocab_size": 7, "d_model": 8, "context_length": 9, "layers": (LAYER,), "final_norm": NORM,
        "num_labels": 5,
    },
    spans.Span: {"kind": "name", "start": 2, "end": 3},
    encoder.EncoderConfig: STACK,
    encoder.EncoderDecoderConfig: {"vocab_size": 7, "layers": encoder.EncoderConfig(**STACK)},
    encoder.VisionConfig: {
        "image_size": 4, "patch_size": 2, "num_channels": 3, "num_classes": 2,
        "layers": encoder.EncoderConfig(**STACK),
    },
    feed_forward.GatedFeedForwardConfig: {"d_ff": 5, "activation": relu},
    feed_forward.PlainFeedForwardConfig: {"d_ff": 5, "activation": relu, "has_bias": True},
    latent_config.LatentAttentionConfig: {
        "num_heads": 2, "head_dim": 4, "value_dim": 3, "latent_dim": 5, "rope": ROPE,
    },
    norms.LayerNormConfig: {"eps": 1e-6},
    norms.LayerNormWithoutShiftConfig: {"eps": 1e-6},
    norms.RMSNormConfig: {"eps": 1e-6},
    norms.RMSNormWithoutGainConfig: {"eps": 1e-6},
    norms.UnitOffsetRMSNormConfig: {"eps": 1e-6},
    rope.LinearScaling: {"factor": 2.0},
    rope.NtkScaling: {"factor": 2.0},
    rope.Llama3Scaling: {
        "factor": 2.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "context": 64,
    },
    rope.YarnScaling: {
        "factor": 2.0, "context": 64, "alpha": 1.0, "beta": 4.0, "is_truncated": True,
    },
    rope.RopeConfig: {"base": 10.0, "rotary_dim": 4},
    attention_counts.attention_parameters: SIZE,
    attention_counts.cache_elements: {"config": HEADS, "num_tokens": 2},
    attention_counts.state_bytes: {"config": DELTA, "bytes_per_element": 2},
    cache_counts.kv_cache_bytes: {
        "num_layers": 2, "num_kv_heads": 2, "head_dim": 4, "num_tokens": 3, "bytes_per_element": 2,
    },
    decoder_counts.cache_bytes: {
        "config": DECODER.config, "num_tokens": 3, "bytes_per_element": 2,
    },
    decoder_counts.layer_parameters: BLOCK,
    feed_forward_counts.feed_forward_parameters: {"config": PLAIN, "d_model": 8},
    norm_counts.norm_parameters: {"config": NORM, "size": 8},
    traffic.hbm_traffic: {"T": 8, "D": 4, "M": 64, "method": "flash", "bytes": 2},
    paths.path_length: {"kind": "conv", "i": 2, "j": 5, "kernel": 3},
    paths.sequential_ops: {"kind": "rnn", "T": 4},
    state_capacity.copy_capacity: {"bits_per_unit": 1.0, "N": 6, "vocab": 4},
    gpt3.count_gpt3: {"layers": 2},
    block_sparse.block_sparse_attention: {
        **QKV, "may_attend": torch.ones(3, 3).bool(), "block": 2,
    },
    block_sparse.permuted_block_attention: {**QKV, "order": torch.tensor([1, 0]), "block": 2},
    chunked_feed_forward.chunked_feed_forward: {"x": X, "feed_forward": torch.sin, "chunk": 2},
    kernel_attention.causal_kernel_attention: {
        "query_features": X, "key_features": X, "value": X, "chunk": 2,
    },
    learnt_index.top_k_attention: {**QKV, "scores": torch.ones(1, 3, 3), "k": 2},
    learnt_index.top_k_mask: {"scores": X, "k": 2},
    low_rank.spectrum: {"weights": X, "r": 2},
    lsh.lsh_attention: {
        "qk": QUERY, "value": QUERY, "buckets": torch.zeros(1, 2, 3).long(), "chunk": 3,
        "causal": True,
    },
    lsh.multi_round_lsh_attention: {
        "qk": QUERY, "value": QUERY, "buckets": torch.zeros(2, 1, 2, 3).long(), "chunk": 3,
        "causal": True,
    },
    performer.orthogonal_projections: {
        "num_features": 3, "head_dim": 2, "generator": GENERATOR,
    },
    layer_reach.reach: {"may_attend": torch.ones(3, 3).bool(), "num_layers": 2},
    sliding.sliding_attention: {**QKV, "window": 2},
    **{pattern: {"num_positions": 3, "block": 2} for pattern in sparse_masks.PATTERNS.values()},
    sparse_masks.block_sparse_mask: {"T": 3, "block": 2, "pattern": "fixed"},
    sparse_masks.random_mask: {
        "num_positions": 3, "block": 2, "num_random": 1, "generator": GENERATOR,
    },
    streaming.streaming_keep: {"num_keys": 9, "num_sinks": 2, "window": 3},
    streaming.streaming_mask: {"num_queries": 3, "num_keys": 9, "num_sinks": 2, "window": 3},
    streaming.streaming_step: {
        "query": QUERY[:, :, :1], "key": QUERY, "value": QUERY, "num_sinks": 1, "window": 2,
        "base": 10.0,
    },
    entropy: {"weights": X, "axis": 1},
    soft_lookup: {"query": X[0], "keys": X[0], "values": X[0], "temperature": 2.0},
    kernel_regression: {"xq": GAIN, "xk": GAIN, "y": GAIN, "width": 2.0},
    choice.sampler: {"generator": GENERATOR, "temperature": 2.0},
    logits.temperature_logits: {"logits": LOGITS, "temperature": 2.0},
    logits.top_k_logits: {"logits": LOGITS, "k": 2},
    logits.top_p_logits: {"logits": LOGITS, "p": 0.5},
    prompts.continue_prompts: {
        "model": DECODER, "prompts": [IDS[0]], "n": 2, "choose": choice.greedy,
    },
    prompts.continue_prompts_until: {
        "model": DECODER, "prompts": [IDS[0]], "n": 2, "choose": choice.greedy, "end_id": 1,
    },
    prompts.continue_prompts_without_cache: {
        "model": DECODER, "prompts": [IDS[0]], "n": 2, "choose": choice.greedy,
    },
    translation.translate: {
        "model": TRANSLATOR, "source": IDS, "start_id": 1, "end_id": 2, "max_tokens": 2,
    },
    writing.continue_ids: {**GENERATE, "choose": choice.greedy},
    writing.continue_ids_without_cache: {**GENERATE, "choose": choice.greedy},
    writing.continue_until: {**GENERATE, "choose": choice.greedy, "end_id": 1},
    writing.generate: {**GENERATE, "temperature": 1.0, "top_k": 2, "generator": GENERATOR},
    norm_functions.layer_norm: {"x": X, "g": GAIN, "b": GAIN, "eps": 1e-6},
    norm_functions.rms_norm: {"x": X, "g": GAIN, "eps": 1e-6},
    norm_functions.rms_norm_unit_offset: {"x": X, "g": GAIN, "eps": 1e-6},
    norm_functions.unit_length: {"x": X, "eps": 1e-6},
    causal_mask: {"num_queries": 2, "num_keys": 3},
    distances: {"num_queries": 2, "num_keys": 3},
    padding_mask: {"lengths": IDS[0], "num_keys": 3},
    window_mask: {"num_queries": 2, "num_keys": 3, "window": 2},
    alibi.AlibiAttention: {"config": ALIBI, "d_model": 8},
    causal.CausalAttention: SIZE,
    attention_choice.attention_module: SIZE,
    latent_module.LatentAttention: {"config": LATENT, "d_model": 8},
    delta_module.GatedDeltaRule: {"config": DELTA, "d_model": 8},
    blocks.block_module: BLOCK,
    encoder_model.BertEncoder: {
        "config": encoder.EncoderConfig(**STACK), "vocab_size": 7, "context_length": 9,
    },
    encoder_model.sequence_mask: {"lengths": IDS[0], "num_sequences": 3, "num_keys": 3},
    mixture_modules.GatedMixture: {"config": SWIGLUS, "d_model": 8},
    mixture_modules.ClampedMixture: {"config": MIXED, "d_model": 8},
    mixture_modules.AffinityMixture: {"config": AFFINE, "d_model": 8},
    mixture_modules.ShareMixture: {"config": SHARED_OUT, "d_model": 8},
    mixture_modules.InputWeightedMixture: {"config": WEIGHED, "d_model": 8},
    mixture_modules.GatedSharedMixture: {"config": GATE_SHARED, "d_model": 8},
    feed_forward_modules.GatedFeedForward: {"config": GATED, "d_model": 8},
    feed_forward_modules.PlainFeedForward: {"config": PLAIN, "d_model": 8},
    feed_forward_modules.feed_forward_module: {"config": PLAIN, "d_model": 8},
    initialise.initialise: {"model": DECODER, "generator": GENERATOR, "std": 0.1},
    multi_head.MultiHeadAttention: {"d_model": 8, "num_heads": 2, "head_dim": 4, "has_bias": True},
    norm_modules.LayerNorm: NORM_SIZE,
    norm_modules.LayerNormWithoutShift: NORM_SIZE,
    norm_modules.RMSNorm: NORM_SIZE,
    norm_modules.RMSNormWithoutGain: NORM_SIZE,
    norm_modules.UnitOffsetRMSNorm: NORM_SIZE,
    norm_modules.norm_module: {"config": NORM, "size": 8},
    padded_reading.PaddedReading: {
        "padding": torch.tensor([1]), "start": 2, "num_tokens": 3, "device": CPU,
    },
    both_ways.BothWaysReading: {"num_tokens": 3, "is_token": None, "device": CPU},
    reading.Reading: {"start": 2, "num_tokens": 3, "device": CPU},
    vision.patches: {"images": torch.ones(1, 1, 4, 4), "patch_size": 2},
    make_qk_for: {"pattern": "identity", "T": 2},
    absolute.sinusoidal: {"num_positions": 2, "d_model": 4, "base": 10.0},
    alibi_positions.alibi_bias: {"num_heads": 2, "num_queries": 2, "num_keys": 3},
    alibi_positions.alibi_slopes: {"num_heads": 2},
    rope_positions.halves_to_interleaved: {"w": X, "head_dim": 4, "rotary_dim": 2},
    rope_positions.interleaved_to_halves: {"w": X, "head_dim": 4, "rotary_dim": 2},
    rope_positions.rope: {"x": X, "positions": POSITIONS, "base": 10.0},
    rope_positions.rope_inv_freq: {"rotary_dim": 4, "base": 10.0},
    rope_positions.rotate: {
        "x": X, "positions": POSITIONS, "inv_freq": FREQUENCIES, "concentration": 1.5,
    },
    rope_scaling.interpolated_inv_freq: {"inv_freq": FREQUENCIES, "factor": 2.0},
    rope_scaling.llama3_inv_freq: {
        "inv_freq": FREQUENCIES, "factor": 2.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "context": 64,
    },
    rope_scaling.ntk_inv_freq: {"rotary_dim": 4, "base": 10.0, "factor": 2.0},
    rope_scaling.yarn_inv_freq: YARN,
    rope_scaling.yarn_inv_freq_truncated: YARN,
    rotation_table.rotation_table: {
        "positions": POSITIONS, "inv_freq": FREQUENCIES, "concentration": 1.5,
    },
    seq2seq.GRU: {"d_model": 8, "num_units": 4},
    seq2seq.RecurrentEncoderDecoder: {"vocab_size": 7, "num_units": 4, "pad_id": 0},
    seq2seq_attention.AttentionEncoderDecoder: {"vocab_size": 7, "num_units": 4, "pad_id": 0},
    saturation: {"D": 2, "S": 3, "scale": 1.0, "trials": 2, "generator": GENERATOR},
    score_variance: {"D": 2, "n": 3, "generator": GENERATOR, "scale": 1.0},
    growing_scale: {"positions": IDS[0], "floor": 2, "factor": 0.1},
    softmax_scale: {"head_dim": 4, "query_pre_attn_scalar": 2.0, "yarn_factor": 2.0},
    log_softmax: {"x": X, "axis": 1},
    logsumexp: {"x": X, "axis": 1},
    softmax: {"x": X, "axis": 1},
    softmax_vjp: {"weights": X, "grad_weights": X, "axis": 1},
    bpe_train: {"text": "low", "merges": 1},
    accumulation.num_predicted: {"tokens": IDS, "ignore": 1},
    loop.Optimisation: {
        "learning_rate": 0.1, "warmup_steps": 2, "max_norm": 1.0, "weight_decay": 0.1,
    },
    loop.train: {
        "model": DECODER, "batches": [], "loss": len, "num_steps": 0,
        "optimisation": loop.Optimisation(learning_rate=0.1),
    },
    loop.warm_up: {"step": 1, "warmup_steps": 2},
    loss.lm_loss: {"logits": LOGITS, "tokens": IDS, "ignore": -100},
    loss.token_accuracy: {"logits": LOGITS, "tokens": IDS, "ignore": -100},
    models.draw_seq2seq: {
        "kind": seq2seq.RecurrentEncoderDecoder, "vocab_size": 7, "num_units": 4,
        "generator": GENERATOR,
    },
    models.small_encoder_decoder: SMALL,
    models.small_learned: SMALL,
    models.small_rotary: SMALL,
    recipes.follow: {"recipe": recipes.COPY, "seed": 0},
    tasks.copy_batch: TASK,
    tasks.duplication_batch: TASK,
    tasks.reverse_batch: TASK,
    tasks.induction_batch: {
        "batch_size": 2, "num_pairs": 3, "vocab_size": 9, "generator": GENERATOR,
    },
    text.text_batch: {"ids": IDS[0], "batch_size": 2, "length": 2, "generator": GENERATOR},
    text.unigram_entropy: {"ids": IDS[0], "vocab_size": 7},
    gemma.gemma2_layers: {"num_layers": 2, "attention": HEADS, "d_ff": 5},
    gemma.gemma3_layers: {"num_layers": 2, "attention": HEADS, "global_rope": ROPE, "d_ff": 5},
    gpt_oss.gpt_oss_layers: {
        "num_layers": 2, "attention": HEADS, "experts": MIXED, "window": 3,
    },
    gates.oai_swiglu: {"x": X, "alpha": 1.0, "limit": 7.0},
    affine_router.affine_topk_router: {
        "x": X, "w_gate": torch.zeros(X.shape[-1], 3), "b_gate": torch.zeros(3), "A": 2,
    },
    routed.through_experts: {
        "x": X, "experts": torch.zeros(2, 3, 1, dtype=torch.int64),
        "weights": torch.ones(2, 3, 1), "num_experts": 2, "network": lambda rows, _: rows,
    },
    input_weighted.each_its_gate: {"x": X, "w_gate": torch.ones(8, 4), "A": 2},
    softmax_router.grouped_softmax_router: {
        "x": X, "w_gate": torch.ones(8, 4), "A": 2, "num_groups": 2, "groups_kept": 1,
    },
    experts_config.GroupedMixtureSizes: {"num_experts": 3, "experts_per_token": 2, "d_ff": 5},
    experts_config.ShareMixtureConfig: {"num_experts": 3, "experts_per_token": 2, "d_ff": 5},
    attention_parts.Chunk: {"size": 3},
    attention_parts.GrowingScale: {"floor": 3, "factor": 0.1},
    olmo.olmo3_layers: {"num_layers": 2, "attention": HEADS, "global_rope": ROPE, "d_ff": 5},
    experts_config.MixtureSizes: {"num_experts": 3, "experts_per_token": 2, "d_ff": 5},
    experts_config.InputWeightedMixtureConfig: {
        "num_experts": 3, "experts_per_token": 2, "d_ff": 5, "num_shared": 1,
    },
    delta_config.GatedDeltaRuleConfig: {**STATES, "norm": NORM},
    experts_config.GatedSharedMixtureConfig: {
        "num_experts": 3, "experts_per_token": 2, "d_ff": 5, "num_shared": 1,
    },
    qwen3_next.qwen3_next_layers: {
        "num_layers": 2, "delta_rule": DELTA, "attention": HEADS, "feed_forward": GATE_SHARED,
    },
    experts_config.GatedMixtureConfig: {"num_experts": 3, "experts_per_token": 2, "d_ff": 5},
    experts_config.ClampedMixtureConfig: {"num_experts": 3, "experts_per_token": 2, "d_ff": 5},
    shards.ring_schedule: {"num_ranks": 2},
    shards.tiles_of_rank: {"rank": 0, "num_ranks": 2, "layout": shards.Contiguous()},
    shards.shard: {"x": X, "rank": 0, "num_ranks": 3, "layout": shards.Contiguous(), "axis": 1},
    shards.unshard: {"parts": [X, X], "layout": shards.Contiguous(), "axis": 1},
    experts_config.AffinityMixtureConfig: {"num_experts": 3, "experts_per_token": 2, "d_ff": 5},
    feed_forward_counts.active_feed_forward_parameters: {"config": MIXED, "d_model": 8},
    gpt.gpt_config: {
        "num_layers": 1, "num_heads": 2, "d_model": 8, "vocab_size": 7, "context_length": 9,
    },
    llama_zoo.llama_layer: {"attention": HEADS, "d_ff": 5, "eps": 1e-6},
    vaswani.vaswani_config: {
        "num_layers": 1, "d_model": 8, "num_heads": 2, "head_dim": 4, "d_ff": 5, "vocab_size": 7,
    },
}  # fmt: skip

#: Why the others need no check of their own.
NO_CHECK = {
    "course_lib.sizes": "it is the check",
    "course_lib.on_one_page": "it refuses nothing, and says so",
    "course_lib.plotting": "a figure shows at once what it was asked",
    "course_lib.model.blocks": "block_module makes these, from a configuration that has checked",
    "course_lib.model.padded_reading.require_padding": "its columns are those of ids",
    "course_lib.model.rotary.Rotation": "what rope_frequencies gives",
    "course_lib.trained.heads.TrainedHead": "what load_trained_head gives",
    "course_lib.training.recipes.Trained": "what follow gives",
    "course_lib.training.recipes.Recipe": "follow hands its numbers to train",
    "course_lib.training.recipes.byte_recipe": "follow hands its numbers to train",
    "course_lib.tokenizer.bpe.merge_pair": "ids may be anything that is equal to itself",
    "course_lib.processes": "they run in ranks, and their tests ask wrongly there",
    "course_lib.exact.triton_forward": "it runs in Triton, and its tests ask wrongly there",
    "course_lib.exact.ring": "it runs in ranks, and its tests ask wrongly there",
    "course_lib.experts.parallel": "it runs in ranks, and its tests ask wrongly there",
    "course_lib.trained.released_tokens": "a file holds its numbers, and its tests count them anew",
    "course_lib.trained.speeches": "an act is one of five, and another one is refused by that",
    "course_lib.trained.reversers": "num_tokens counts a range, which refuses by itself",
    "course_lib.shapes.require_entries": "softmax and the others call it",
}

#: What may be a tensor of numbers instead: a call with one number in its place.
OR_TENSORS = {
    "sink": lambda sink: softmax_with_sink(X, sink),
    "scale": lambda scale: qk_norm.cosine_scores(QUERY, QUERY, scale),
}

NOT_COUNTS = [True, 2.0, None, np.True_, torch.tensor(True)]
NOT_NUMBERS = [True, None, "2", np.False_, torch.tensor(True), torch.ones(2)]


def kinds_of(function: Callable[..., object]) -> dict[str, type]:
    """The parameters that are counts or numbers, not of tensors: name -> int or float."""
    found: dict[str, type] = {}
    if typing.get_origin(function) is not None:
        return found
    for name, parameter in inspect.signature(function).parameters.items():
        parts = {parameter.annotation}
        if isinstance(parameter.annotation, types.UnionType):
            parts = set(parameter.annotation.__args__) - {types.NoneType}
        if parts in ({int}, {float}):
            found[name] = parts.pop()
    return found


CASES = [
    pytest.param(function, name, wrong, id=f"{function.__module__}.{function.__name__} {name} {i}")
    for function in CALLS
    for name, kind in kinds_of(function).items()
    if name in CALLS[function]
    for i, wrong in enumerate(NOT_COUNTS if kind is int else NOT_NUMBERS)
    if not (wrong is None and "None" in str(inspect.signature(function).parameters[name]))
]


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(("function", "name", "wrong"), CASES)
def test_what_is_no_count_or_no_number_is_refused(
    function: Callable[..., object], name: str, wrong: object
) -> None:
    came = re.escape(f"is {wrong!r}, of type {type(wrong).__name__}")
    with pytest.raises(ValueError, match=came):
        function(**{**CALLS[function], name: wrong})


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("wrong", [True, None, "2"])
@pytest.mark.parametrize("name", OR_TENSORS)
def test_a_number_that_may_be_a_tensor_is_a_number(name: str, wrong: object) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{name} is {wrong!r}, of type")):
        OR_TENSORS[name](wrong)
    OR_TENSORS[name](2)


def test_every_public_function_that_takes_a_count_or_a_number_is_here() -> None:
    found = set()
    for module in pkgutil.walk_packages(course_lib.__path__, "course_lib."):
        if not module.name.startswith(("course_lib.naive", "course_lib.data")):
            loaded = importlib.import_module(module.name)
            for name in getattr(loaded, "__all__", ()):
                value = getattr(loaded, name)
                if inspect.isfunction(value) or inspect.isclass(value):
                    found |= {f"{module.name}.{name}"} if kinds_of(value) else set()
    here = {f"{function.__module__}.{function.__name__}" for function in CALLS}
    excused = {name for name in found - here if name.startswith(tuple(NO_CHECK))}
    assert found - here - excused == {"course_lib.config.attention_parts.ScoreStep"}  # SoftCap's
    for reason in NO_CHECK:
        assert any(name.startswith(reason) for name in excused), reason


def why_refused(function: Callable[..., object], right: dict[str, object]) -> str:
    """Return what a call is refused with; "" where it goes through."""
    try:
        function(**right)
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


@pytest.mark.usefixtures("without_annotations")
def test_the_calls_are_right_but_for_what_is_changed() -> None:
    whole = {
        one: right for one, right in CALLS.items() if one not in (bert.from_bert, recipes.follow)
    }
    refused = {one.__name__: why_refused(one, right) for one, right in whole.items()}
    assert {name: why for name, why in refused.items() if why} == {}
