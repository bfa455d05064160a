"""How fast and how large: the library beside the fast code that it explains (``make bench``)."""
