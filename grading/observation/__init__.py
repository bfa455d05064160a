"""What is handed to an answer and what is seen of it: plain data, and its way over a wire."""
