"""What stands beside a learner's function and tells what it did; it knows no answer."""
