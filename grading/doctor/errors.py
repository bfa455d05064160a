"""What is said of a hand-in that cannot be graded."""


class UngradableError(ValueError):
    """A hand-in cannot be graded; the text is one sentence for learner and instructor.

    It says why, and what to do. Whoever grades keeps it as the reason beside the missing mark.
    """
