"""Nothing written."""

STARTS_FROM = "blank"
