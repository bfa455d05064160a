"""PyTorch's own norms and activations, whatever they are called by."""

__all__ = ["ACTIVATIONS", "NORMS"]

NORMS = (
    "torch.nn.functional.layer_norm", "torch.nn.functional.rms_norm", "torch.layer_norm",
    "torch.rms_norm", "torch.nn.functional.group_norm", "torch.group_norm",
    "aten.native_layer_norm", "aten._fused_rms_norm",
    "aten.native_group_norm",
)  # fmt: skip
ACTIVATIONS = ("torch.nn.functional.silu", "torch.nn.functional.hardswish", "aten.silu")
