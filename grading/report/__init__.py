"""What an instructor sees of a graded class."""
