"""privacy-filter: gpt-oss's layers, small, read both ways, and a label for each token."""

from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import Biases, Softmax, Window
from course_lib.config.classifier import TokenClassifierConfig
from course_lib.config.decoder import LayerConfig
from course_lib.config.experts import ClampedMixtureConfig
from course_lib.config.norms import RMSNormConfig
from course_lib.config.rope import RopeConfig, YarnScaling

__all__ = ["PERSONAL_DATA", "PRIVACY_FILTER", "PRIVACY_FILTER_LABELS"]

#: What is looked for, in the order of the labels.
PERSONAL_DATA = (
    "account_number",
    "private_address",
    "private_date",
    "private_email",
    "private_person",
    "private_phone",
    "private_url",
    "secret",
)
#: What a token can be: nothing (O), or the begin, an inner token, the end, or all of a span.
PRIVACY_FILTER_LABELS = ("O", *(f"{tag}-{kind}" for kind in PERSONAL_DATA for tag in "BIES"))


def _privacy_filter() -> TokenClassifierConfig:
    attention = CausalAttentionConfig(
        num_heads=14,
        num_kv_heads=2,
        head_dim=64,
        biases=Biases.ALL,
        rope=RopeConfig(
            base=150_000.0,
            rotary_dim=64,
            scaling=YarnScaling(
                factor=32.0, context=4096, alpha=1.0, beta=32.0, is_truncated=False
            ),
        ),
        reach=Window(size=129),  # 128 keys on each side, and the query's own
        softmax=Softmax.WITH_SINKS,
    )
    layer = LayerConfig(
        attention=attention,
        feed_forward=ClampedMixtureConfig(num_experts=128, experts_per_token=4, d_ff=640),
        norm=RMSNormConfig(eps=1e-5),
    )
    return TokenClassifierConfig(
        vocab_size=200_064,
        d_model=640,
        context_length=131_072,
        layers=(layer,) * 8,
        final_norm=RMSNormConfig(eps=1e-5),
        num_labels=len(PRIVACY_FILTER_LABELS),
    )


#: OpenAI 2026, openai/privacy-filter, its config.json and transformers' defaults for its class.
PRIVACY_FILTER = _privacy_filter()
