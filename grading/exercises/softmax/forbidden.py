"""PyTorch's own softmax and log-sum-exp, whatever they are called by."""

__all__ = ["FORBIDDEN"]

FORBIDDEN = (
    "torch.softmax", "torch.Tensor.softmax", "torch.nn.functional.softmax", "torch.logsumexp",
    "torch.Tensor.logsumexp", "torch.log_softmax", "torch.Tensor.log_softmax",
    "torch.nn.functional.log_softmax", "torch.special.softmax", "torch.special.log_softmax",
    "torch.special.logsumexp", "torch.nn.functional.softmin",
    "aten._softmax", "aten._log_softmax", "aten.logsumexp", "aten.logcumsumexp",
    "aten._softmax_backward_data", "aten._log_softmax_backward_data", "aten._safe_softmax",
    "aten._masked_softmax", "aten._scaled_dot_product_flash_attention_for_cpu",
    "aten._scaled_dot_product_attention_math",
)  # fmt: skip
