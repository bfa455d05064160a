"""How large a model that labels tokens is, from its configuration alone."""

from course_lib.config.classifier import TokenClassifierConfig
from course_lib.counts.decoder import layer_parameters
from course_lib.counts.feed_forward import (
    active_feed_forward_parameters,
    feed_forward_parameters,
)
from course_lib.counts.norms import norm_parameters

__all__ = ["active_classifier_parameters", "classifier_parameters"]


def classifier_parameters(config: TokenClassifierConfig) -> int:
    r"""Count the parameters of a model that labels tokens.

    .. math:: V C + \sum_{l=1}^{L} \text{layer}_l + \text{norm} + (C + 1)\, \text{labels}

    Args:
        config: the model.

    Returns:
        The number of parameters.

    Source: a sum of its parts; the tests count the tensors of the model, and of transformers'.
    """
    layers = sum(layer_parameters(layer, config.d_model) for layer in config.layers)
    ends = config.vocab_size * config.d_model + norm_parameters(config.final_norm, config.d_model)
    return ends + layers + (config.d_model + 1) * config.num_labels


def active_classifier_parameters(config: TokenClassifierConfig) -> int:
    r"""Count the parameters that one token meets in a product: A of E experts, and no embedding.

    .. math:: \text{all} - \sum_{l=1}^{L} (\text{mixture}_l - \text{of it active}_l) - V C

    Args:
        config: the model.

    Returns:
        The number of parameters.

    Source: the convention of the gpt-oss model card (arXiv:2508.10925), table 1.
    """
    idle = sum(
        feed_forward_parameters(layer.feed_forward, config.d_model)
        - active_feed_forward_parameters(layer.feed_forward, config.d_model)
        for layer in config.layers
    )
    return classifier_parameters(config) - idle - config.vocab_size * config.d_model
