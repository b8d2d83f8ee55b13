"""What can go wrong with the local stack, said in one message for the person who started it."""


class LocalError(Exception):
    """The local stack can't do what it was asked; the message says why and what to look at."""
