"""The order as MongoDB holds it: one document, in which state, version, timeline and unsent events change together."""

from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict

from bson.decimal128 import Decimal128
from mongoengine import (
    DateTimeField,
    Decimal128Field,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    IntField,
    StringField,
)
from mongoengine.base import BaseField
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.collection import Collection

Status = Literal["confirmed", "processing", "shipped", "delivered", "cancelled"]
STATUSES: tuple[Status, ...] = ("confirmed", "processing", "shipped", "delivered", "cancelled")
Change = Literal["created", "updated", "deleted"]


class ItemDocument(TypedDict):
    """One product of an order, as stored."""

    productId: str
    quantity: int
    unitPrice: Decimal128 | None


class TimelineEntry(TypedDict):
    """One transition: which version it made, the task that made it, and what it took from stock, where it did.

    `takes` (units by product, negative: gave back) is what the ledger is rebuilt from; it is never shown.
    """

    version: int
    status: Status
    at: datetime
    taskId: str
    change: Change
    takes: NotRequired[dict[str, int]]


class OutboxEvent(TypedDict):
    """An event not yet known to be on Kafka: a snapshot without the e-mail, which is read at sending.

    `takes` is not part of what is sent: the ledger wants to know whose holds are on Kafka.
    """

    id: str
    topic: str
    at: datetime
    changed: NotRequired[list[str]]
    notify: NotRequired[bool]
    takes: NotRequired[dict[str, int]]
    order: dict[str, Any]


class OutboxLease(TypedDict):
    """Which sweep has an order's outbox for itself, and until when."""

    by: str
    until: datetime


class ParkedEvent(TypedDict):
    """An event that can't be sent, why, and since when it waits for an operator."""

    id: str
    reason: str
    event: OutboxEvent
    at: NotRequired[datetime]


class OrderDocument(TypedDict):
    """The stored order.

    `deletedAt` makes it a tombstone. While `outboxLease` holds, one sweep has its outbox for itself. `parkedEvents` are
    those that Kafka will never take, `discardedEvents` the ids of those that an operator gave up. The tasks in
    `discarded` may store nothing any more (models/fence.py). At `publishedAt` its last event was confirmed.
    """

    _id: str
    userId: str
    items: list[ItemDocument]
    currency: str
    total: Decimal128 | None
    status: Status
    shippingAddress: dict[str, str] | None
    note: str | None
    metadata: dict[str, Any] | None
    version: int
    createdAt: datetime
    updatedAt: datetime
    deletedAt: NotRequired[datetime]
    timeline: list[TimelineEntry]
    outbox: list[OutboxEvent]
    outboxLease: NotRequired[OutboxLease]
    parkedEvents: NotRequired[list[ParkedEvent]]
    discardedEvents: NotRequired[list[str]]
    discarded: NotRequired[list[str]]
    publishedAt: NotRequired[datetime]


class AnyJSON(BaseField):  # type: ignore[misc]
    """A value kept as the customer sent it. mongoengine's DictField refuses keys such as `$ref` or `a.b`."""


class Item(EmbeddedDocument):  # type: ignore[misc]
    """One product of an order."""

    productId = StringField(required=True)  # noqa: N815
    quantity = IntField(required=True, min_value=1, max_value=10_000)
    unitPrice = Decimal128Field(null=True)  # noqa: N815


class Transition(EmbeddedDocument):  # type: ignore[misc]
    """One entry of the timeline."""

    version = IntField(required=True)
    status = StringField(required=True, choices=STATUSES)
    at = DateTimeField(required=True)
    taskId = StringField(required=True)  # noqa: N815
    change = StringField(required=True, choices=("created", "updated", "deleted"))
    takes = AnyJSON()


class Unsent(EmbeddedDocument):  # type: ignore[misc]
    """One event of the outbox."""

    id = StringField(required=True)
    topic = StringField(required=True)
    at = DateTimeField(required=True)
    changed = AnyJSON()
    notify = AnyJSON()
    takes = AnyJSON()
    order = AnyJSON(required=True)


class Order(Document):  # type: ignore[misc]
    """The schema, for whoever reads orders with mongoengine. The service itself reads and writes raw documents."""

    meta = {"collection": "orders", "auto_create_index": False, "id_field": "id"}  # noqa: RUF012

    id = StringField(primary_key=True)
    userId = StringField(required=True)  # noqa: N815
    items = EmbeddedDocumentListField(Item, required=True)
    currency = StringField(required=True)
    total = Decimal128Field(null=True)
    status = StringField(required=True, choices=STATUSES)
    shippingAddress = AnyJSON(null=True)  # noqa: N815
    note = StringField(null=True)
    metadata = AnyJSON(null=True)
    version = IntField(required=True)
    createdAt = DateTimeField(required=True)  # noqa: N815
    updatedAt = DateTimeField(required=True)  # noqa: N815
    deletedAt = DateTimeField()  # noqa: N815
    timeline = EmbeddedDocumentListField(Transition, required=True)
    outbox = EmbeddedDocumentListField(Unsent)
    outboxLease = AnyJSON()  # noqa: N815
    parkedEvents = AnyJSON()  # noqa: N815
    discardedEvents = AnyJSON()  # noqa: N815
    discarded = AnyJSON()
    publishedAt = DateTimeField()  # noqa: N815


INDEXES = [
    IndexModel([("userId", ASCENDING), ("_id", DESCENDING)], name="user_newest_first"),
    IndexModel([("status", ASCENDING), ("_id", DESCENDING)], name="status_newest_first"),
    # Only orders that still have something to send are in it: the sweep's look costs nothing when all is well.
    IndexModel(
        [("outbox.at", ASCENDING)], name="unsent_oldest_first", partialFilterExpression={"outbox.at": {"$exists": True}}
    ),
    IndexModel(
        [("parkedEvents.id", ASCENDING)],
        name="parked_events",
        partialFilterExpression={"parkedEvents.id": {"$exists": True}},
    ),
]


def make_indexes(collection: "Collection[OrderDocument]") -> None:
    """Make the indexes; those that exist are left as they are."""
    collection.create_indexes(INDEXES)
