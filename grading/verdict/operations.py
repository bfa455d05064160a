"""What the operations that a task forbids are called in a sentence."""

__all__ = ["in_words"]

_OWN = "PyTorch's own "
_WORDS = {
    "_softmax": "softmax",
    "_safe_softmax": "softmax",
    "_masked_softmax": "softmax with a mask",
    "_log_softmax": "log-softmax",
    "logsumexp": "log-sum-exp",
    "logcumsumexp": "log-sum-exp",
    "_softmax_backward_data": "gradient of the softmax",
    "_log_softmax_backward_data": "gradient of the log-softmax",
    "_scaled_dot_product_flash_attention_for_cpu": "scaled dot-product attention",
    "_scaled_dot_product_attention_math": "scaled dot-product attention",
}


def in_words(call: str) -> str:
    """Return what an answer used: a function by its name, an operation by what it computes."""
    if not call.startswith(f"{_OWN}aten."):
        return f"`{call}`" if call.replace(".", "_").isidentifier() else call
    name = call.removeprefix(f"{_OWN}aten.")
    return _OWN + _WORDS.get(name, name.strip("_").replace("_", " "))
