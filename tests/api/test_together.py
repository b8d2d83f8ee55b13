"""Creates gather a little longer while workers are behind, and never where they are not."""

from api.together import FAR_BEHIND, LONGEST_PAUSE, UNHURRIED, pause


def test_nothing_waits_while_workers_keep_up() -> None:
    assert pause(0) == pause(UNHURRIED) == 0


def test_the_further_workers_are_behind_the_longer_it_gathers() -> None:
    assert 0 < pause(UNHURRIED + 50) < pause(UNHURRIED + 100) <= LONGEST_PAUSE


def test_a_caller_never_waits_long_and_not_at_all_for_workers_that_are_away() -> None:
    assert pause(FAR_BEHIND - 1) == LONGEST_PAUSE
    assert pause(FAR_BEHIND) == pause(100_000) == 0
