"""The formula itself: NumPy, float64, loops, no batch.

Never imports torch and shares no code with its twins.
"""
