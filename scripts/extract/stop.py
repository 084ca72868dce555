# SPDX-License-Identifier: MIT
"""The ways in which an extraction ends early: a message for the user and an exit status.

The statuses are those of the program `saferoute`, so that a job can treat both alike.
"""

USAGE, DATA, NO_INPUT, BUG, NO_MEMORY, IO, STOPPED = 2, 65, 66, 70, 71, 74, 75


class Stop(BaseException):
    """Ends the command: the message says what, where, why and what to do. It comes from a signal, too, in the middle of
    whatever library runs then, so it is no Exception that such a library would catch."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def is_memory(error):
    """Whether an error says that memory ran out: of a device, or of the machine."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or (
        isinstance(error, RuntimeError) and "allocate memory" in str(error))


def nearest(word, words):
    """'; did you mean X?' where one of words is near, else ''."""
    import difflib

    near = difflib.get_close_matches(word, words, 1)
    return f"; did you mean {near[0]}?" if near else ""
