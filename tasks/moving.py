"""The second step of a commit: the stock of its writes is moved, and with it their customers' wishes are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from celery.states import READY_STATES

from models import transitions
from models.customers import found_emails
from models.movements import Decision, Movement, decisions
from models.order import OrderDocument
from models.rejections import Problem
from models.scripts import call_all
from models.transitions import Transition
from models.writes import Write
from tasks.done import Done, done_before, read_orders, rejected
from tasks.patience import TryLaterError
from tasks.stores import Stores


@dataclass(frozen=True, slots=True)
class Ready:
    """A write whose transition is known: what was stored before (None for most creates) and the order after."""

    write: Write
    before: OrderDocument | None
    made: Transition
    forbid: Problem | None = None

    @property
    def version(self) -> int:
        """The version that it makes."""
        return self.made.order["version"]


def move_stock(
    ready: Sequence[Ready], users: Sequence[str], stores: Stores, done: dict[str, Done], emails: dict[str, str]
) -> tuple[list[Ready], list[Write]]:
    """Move the stock of all and learn the users' e-mails, in one round trip.

    Return those that may be stored, and the writes that must look again.
    """
    moving = [each for each in ready if each.made.takes or each.write.kind == "create"]
    movements = [_movement(each) for each in moving]
    asking = stores.customers.asking_emails(users)
    answers = call_all(stores.client, [*asking, *stores.stock.moving(movements)])
    emails |= found_emails(users, answers[: len(asking)])
    found = decisions(movements, answers[len(asking) :])
    return _storable(ready, {each.write.task_id: one for each, one in zip(moving, found, strict=True)}, stores, done)


def _movement(each: Ready) -> Movement:
    write = each.write
    customer = write.body["userId"] if write.kind == "create" else None
    return Movement(write.order_id, each.version, write.task_id, each.made.takes, customer, each.forbid)


def _storable(
    ready: Sequence[Ready], decided: Mapping[str, Decision], stores: Stores, done: dict[str, Done]
) -> tuple[list[Ready], list[Write]]:
    # Where Redis has lost what was decided before, a new order may be stored that is refused now.
    refused = [each.write for each in ready if each.before is None and decided[each.write.task_id].problem]
    stored = read_orders(refused, stores)
    storable, again = [], []
    for each in ready:
        decision = decided.get(each.write.task_id)
        if decision is not None and decision.task_id != each.write.task_id:
            _free(each, decision, stores)
            again.append(each.write)
        elif decision is not None and decision.problem:
            before = done_before(stored.get(each.write.order_id), each.write, stores)
            done[each.write.task_id] = before or rejected(each.write, decision.problem, each.version)
        else:
            storable.append(_silenced(each) if decision is not None and decision.silent else each)
    return storable, again


def _silenced(each: Ready) -> Ready:
    """Return a create whose event says that its customer wants to hear of no orders, where such are accepted."""
    if each.forbid is not None:
        return each  # it was decided when the customer still wanted to
    return replace(each, made=transitions.create(each.write, each.made.order["updatedAt"], notify=False))


def _free(each: Ready, decision: Decision, stores: Stores) -> None:
    """Undo a movement that another task made for this version and will never store."""
    order_id, holder = each.write.order_id, decision.task_id
    record = stores.records.find(holder)
    if record is not None and record["status"] not in READY_STATES:
        raise TryLaterError("the stock of this version was decided for another write")
    # It has ended, so what it stored can be seen by now; if it did, our look at the order was older than that.
    stored = stores.orders.find_one({"_id": order_id}, {"timeline.taskId": 1})
    if stored is None or all(entry["taskId"] != holder for entry in stored["timeline"]):
        stores.stock.undo(order_id, each.version, holder)
