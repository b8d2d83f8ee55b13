"""What can go wrong with the local stack, said in one message for the person who started it."""


class LocalError(Exception):
    """The local stack can't do what it was asked; the message says why and what to look at."""

    exit_code = 1


class RefusedError(LocalError):
    """Nothing was started, because of how or where it was asked for."""

    exit_code = 2
