"""The words of the second application."""

WORD = "second"
_calls = []


def again():
    _calls.append(WORD)
    return len(_calls)
