"""A file that was cut off."""

HANDS_IN = ("softmax",)
DAMAGED = True
