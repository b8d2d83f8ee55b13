"""A batch of messages, sorted into tasks and dead letters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from confluent_kafka import Message

from bridge.incoming import Incoming, Place, incoming
from bridge.jobs import job_for
from bridge.shapes import UnreadableError
from tasks.enqueue import Job


@dataclass(slots=True)
class Batch:
    """What is to be done with a batch."""

    jobs: list[Job] = field(default_factory=list)
    letters: list[tuple[Incoming, str]] = field(default_factory=list)
    """What can't be read, each with the reason."""
    last: dict[Place, Message] = field(default_factory=dict)
    """The last message of each partition that is among them."""
    in_a_row: dict[Place, int] = field(default_factory=dict)
    """How many dead letters have come in a row from each partition, after this batch."""
    stopped: dict[Place, int] = field(default_factory=dict)
    """Partitions from which nothing more is taken, and the offset of what is left."""


def sort_out(messages: Iterable[Message], in_a_row: Mapping[Place, int], limit: int) -> Batch:
    """Sort messages; a partition ends with its `limit`th dead letter in a row (`in_a_row`: so many came before)."""
    batch = Batch()
    for message in messages:
        told = incoming(message)
        if told.place in batch.stopped:
            continue
        batch.last[told.place] = message
        try:
            batch.jobs.append(job_for(told))
            batch.in_a_row[told.place] = 0
        except UnreadableError as error:
            batch.letters.append((told, str(error)))
            count = batch.in_a_row.get(told.place, in_a_row.get(told.place, 0)) + 1
            batch.in_a_row[told.place] = count
            if count >= limit:
                batch.stopped[told.place] = told.offset + 1
    return batch
