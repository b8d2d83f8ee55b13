"""The product services of the simulator: what each tells, when it gets to our events, and what is wrong with it."""

from dataclasses import dataclass

from tests.stock.product_service import Tells

MINUTE = 60_000


@dataclass(frozen=True)
class Character:
    """One product service. Times are in milliseconds.

    `lag` is how long it takes at the most to apply an event, `every` makes it apply (and tell) in batches, `echoes`
    tells of each change at once, `counts` sends a count of its own so often, `transit` is how long a level is under way
    at the most, `publishing` how long our own event is.
    """

    name: str
    tells: Tells = "nothing"
    lag: int = 50
    every: int = 0
    echoes: bool = True
    applies: bool = True
    counts: int = 0
    ahead: int = 0
    keyed: bool = True
    versions: bool = False
    replays: bool = False
    pauses: bool = False
    transit: int = 300
    publishing: int = 500


BY_NAME = [
    Character("events, at once", "events"),
    Character("orderIds, at once", "orderIds"),
    Character("seen, at once", "seen"),
    Character("events, up to 25 s late", "events", lag=25_000),
    Character("seen, up to 5 minutes late", "seen", lag=5 * MINUTE),
    Character("events, in batches of 20 s", "events", every=20_000),
    Character("seen, counts by hand, too", "seen", counts=45_000),
    Character("events, 5 minutes behind", "events", ahead=-5 * MINUTE, counts=45_000),
    Character("seen, 4 minutes ahead", "seen", ahead=4 * MINUTE, counts=45_000),
    Character("events, keyless partitions", "events", keyed=False, transit=5_000),
    Character("seen, keyless, with versions", "seen", keyed=False, transit=5_000, versions=True),
    Character("events, sends levels again", "events", replays=True),
    Character("seen, stands still at times", "seen", pauses=True),
    Character("events, our Kafka away at times", "events", publishing=2 * MINUTE),
    Character("never applies, counts", "events", applies=False, counts=20_000),
]
"""Nothing is ever sold twice: orders are settled by name alone."""

BY_TIME = [
    Character("at once"),
    Character("up to 25 s late", lag=25_000),
    Character("in batches of 20 s", every=20_000),
    Character("counts by hand, too", counts=45_000),
    Character("5 minutes behind", ahead=-5 * MINUTE, counts=45_000),
    Character("4 minutes ahead", ahead=4 * MINUTE, counts=45_000),
    Character("keyless partitions", keyed=False, transit=5_000),
    Character("sends levels again", replays=True),
    Character("stands still at times", pauses=True),
    Character("our Kafka away at times", publishing=2 * MINUTE),
    Character("levels up to 2 minutes under way", transit=2 * MINUTE),
    Character("counts each 20 s, no echo", echoes=False, counts=20_000),
]
"""Nothing is sold twice while events are applied within the time set, and each change is told."""

OUTSIDE = [
    Character("up to 2 minutes late", lag=2 * MINUTE),
    Character("never applies, counts", applies=False, counts=20_000),
    Character("counts each 2 minutes, no echo, 25 s late", echoes=False, counts=2 * MINUTE, lag=25_000),
    Character("4 minutes ahead, levels 5 minutes under way", ahead=4 * MINUTE, transit=5 * MINUTE),
]
"""Outside that assumption: shown, so that nobody is surprised."""
