"""Several processes that hold a part each: how they start, and how they hand tensors on."""
