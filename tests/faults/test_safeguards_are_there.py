"""What `make safeguards` switches off is still where it looks for it, and so are the tests that must notice."""

import pytest

from tests.faults.safeguards import SAFEGUARDS, Safeguard
from tests.processes import REPOSITORY


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda safeguard: safeguard.name)
def test_a_safeguard_can_be_switched_off(safeguard: Safeguard) -> None:
    for change in safeguard.changes:
        assert (REPOSITORY / change.file).read_text().count(change.old) == 1
    path, _, test = safeguard.test.partition("::")
    assert f"def {test.partition('[')[0]}" in (REPOSITORY / path).read_text()
