"""Jobs that end their process. It imports them by name, which no other package may have."""

import os
import threading
import time


def wait_then(end, result):
    """A job of half a second, which gives its result or ends its process."""
    time.sleep(0.5)
    return end(3) if end else result


def die_later(number):
    """A job that gives its result and whose process ends soon after."""
    if number == 1:
        threading.Timer(0.2, os._exit, [3]).start()
    return number
