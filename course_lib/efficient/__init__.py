"""Another cost, another result: attention that reads less, or reads something smaller."""
