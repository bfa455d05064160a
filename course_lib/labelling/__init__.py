"""From logits over labels to a label for each token, and to the spans of a text that they mean."""
