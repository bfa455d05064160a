"""Text becomes numbers, numbers become vectors, and back."""
