"""What is judged of an observation, and what comes of it; NumPy alone, never torch."""
