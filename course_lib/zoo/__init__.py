"""Released models as configurations of the course's parts, with their exact counts."""
