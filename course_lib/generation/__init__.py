"""From logits to the next token, and the loop that writes one token after another."""
