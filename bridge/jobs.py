"""From a message to its task; the id is the message's place in Kafka, so that enqueuing it again is a mere repeat."""

from dataclasses import asdict

from bridge.incoming import Incoming
from bridge.shapes import UnreadableError, read_login, read_product_event
from tasks.enqueue import Job


def job_for(message: Incoming) -> Job:
    """Return the task for a message.

    Raises
    ------
    UnreadableError
        where there is none, because it can't be read.

    """
    if message.headers is None:
        raise UnreadableError("the name of a header is not UTF-8")
    task_id = f"{message.topic}:{message.partition}:{message.offset}:{message.timestamp}"
    if message.topic == "product_events":
        level = read_product_event(message)
        return Job("set_stock_level", task_id, "stock", asdict(level), level.product_id)
    login = read_login(message)
    return Job("record_login", task_id, "logins", asdict(login), login.user_id)
