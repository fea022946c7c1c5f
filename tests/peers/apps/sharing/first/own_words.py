"""The words of the first application."""

WORD = "first"
_calls = []


def again():
    _calls.append(WORD)
    return len(_calls)
