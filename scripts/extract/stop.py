# SPDX-License-Identifier: MIT
"""The ways in which an extraction ends early: a message for the user and an exit status.

The statuses are those of the program `saferoute`, so that a job can treat both alike.
"""

USAGE, DATA, NO_INPUT, BUG, NO_MEMORY, IO, STOPPED = 2, 65, 66, 70, 71, 74, 75


class Stop(Exception):
    """Ends the command: the message says what, where, why and what to do."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def nearest(word, words):
    """'; did you mean X?' where one of words is near, else ''."""
    import difflib

    near = difflib.get_close_matches(word, words, 1)
    return f"; did you mean {near[0]}?" if near else ""
