"""What no task can be run for is kept, and operators list, show, requeue and discard it by command."""

import json
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from redis import Redis

from models.ids import new_id
from models.movements import Movement
from models.stock import Stock
from models.writes import Write
from tasks.accept import Submission, accept
from tasks.envelope import envelope
from tasks.parked import NotPossibleError, ParkedMessages
from tasks.set_aside import set_aside
from tests.processes import Servers, Service, eventually, service

SECRET = "Rosenweg 7b"


@pytest.fixture(scope="module")
def own(servers: Servers) -> Servers:
    """A database and a Redis of our own on the servers of the run."""
    return Servers(servers.redis_server, servers.mongod, servers.kafka, database="parked", redis_db=14)


@pytest.fixture
def redis(own: Servers) -> Redis:
    client = own.redis_client()
    client.flushdb()
    return client


@pytest.fixture
def running(own: Servers, redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service without processes."""
    with service(own, tmp_path_factory.mktemp("running"), WORKER_CONCURRENCY="1") as started:
        yield started


@pytest.fixture
def command(running: Service) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python -m tasks` with these words, as an operator would."""

    return partial(running.run, "tasks")


def queue_write(redis: Redis, product: str, order_id: str = "", **more: Any) -> str:
    """Accept a create, or an update of this order, as the API would; return its task's id."""
    task_id = new_id()
    create = {"userId": "user-1", "items": [{"productId": product, "quantity": 3}], "currency": "USD", "note": SECRET}
    write = Write(
        task_id,
        order_id or task_id,
        "update" if order_id else "create",
        more if order_id else create,
        datetime.now(UTC),
    )
    accept(redis, Submission(write, exists=True))
    return task_id


def park(redis: Redis, queue: str, reason: str = "it was a test") -> dict[str, Any]:
    """Set the message aside that waits longest, as a worker does that has taken it; return it."""
    message: dict[str, Any] = json.loads(str(redis.rpop(queue)))
    tag = message["properties"]["delivery_tag"]
    redis.hset("unacked", tag, json.dumps([message, "", queue]))
    redis.zadd("unacked_index", {tag: 1})
    set_aside(redis, tag, reason)
    assert (redis.hlen("unacked"), redis.zcard("unacked_index")) == (0, 0)
    return message


def record(redis: Redis, task_id: str) -> dict[str, Any]:
    return dict(json.loads(redis.get(f"celery-task-meta-{task_id}") or "{}"))


def ended(redis: Redis, task_id: str) -> dict[str, Any]:
    return eventually(lambda: found if (found := record(redis, task_id)).get("status") == "SUCCESS" else None) or {}


def counted(redis: Redis, name: str) -> int:
    return int(redis.hget("counts", name) or 0)


def changed(message: str, **changes: Any) -> str:
    """Return a message with some of it as it should not be."""
    told = json.loads(message)
    for name, value in changes.items():
        (told["headers"] if name in told["headers"] else told)[name] = value
    return json.dumps(told)


def level(product: str) -> dict[str, Any]:
    return {"product_id": product, "units": 5, "version": None, "at": 1, "source": "t/0", "offset": 1}


def test_a_worker_keeps_what_it_can_run_no_task_for_and_goes_on(
    running: Service, redis: Redis, unique: Callable[[str], str]
) -> None:
    known = [unique("task") for _ in range(7)]
    levels = [envelope("set_stock_level", task_id, {}, "stock") for task_id in known]
    bad = [
        changed(levels[0], task="tomorrows_task"),
        changed(levels[1], body=b64encode(b"{no json").decode()),
        changed(levels[2], body=b64encode(b"5").decode()),
        changed(levels[3], **{"content-type": "application/x-python-serialize"}),
        changed(levels[4], eta="noon"),
        changed(levels[5], task=["a", "list"]),
        json.dumps(json.loads(levels[6]) | {"headers": {"id": known[6]}}),
    ]
    malformed = [
        json.dumps(json.loads(envelope("set_stock_level", "x", {}, "stock")) | {"headers": headers})
        for headers in (dict[str, str](), None)
    ]
    orders = [envelope(task, new_id(), {}, "orders") for task in ("create_order", "cancel_order")]
    before, after = unique("product"), unique("product")
    redis.lpush("stock", envelope("set_stock_level", before, level(before), "stock"), *bad, *malformed)
    redis.lpush("stock", envelope("set_stock_level", after, level(after), "stock"))
    redis.lpush("orders", *orders)

    worker = running.worker("stock,orders", "both")

    eventually(lambda: redis.get(f"product:{after}:stock") == "5" and redis.hlen("unacked") == 0)
    eventually(lambda: redis.llen("orders") == 0 and redis.hlen("unacked") == 0)
    parked = {each.task_id: each for each in ParkedMessages(redis).all()}
    ids = [json.loads(each)["headers"]["id"] for each in (*bad, *orders)]
    assert set(parked) == set(ids)
    assert [parked[task_id].message for task_id in ids] == [json.loads(each) for each in (*bad, *orders)]
    assert {parked[each].entry["queue"] for each in known} == {"stock"}
    assert sorted(redis.lrange("stock.malformed", 0, -1)) == sorted(malformed)
    assert counted(redis, "messages_parked") == len(bad) + len(malformed) + len(orders)
    assert redis.get(f"product:{before}:stock") == "5"
    assert worker.log.read_text().count(" ready.") == 1


def test_a_write_for_a_task_of_tomorrow_ends_as_parked_and_the_next_one_goes_on(
    running: Service, redis: Redis, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    redis.set(f"product:{product}:stock", 10)
    order_id = queue_write(redis, product)
    tomorrow = json.loads(str(redis.rpop("orders")))
    tomorrow["headers"]["task"] = "create_better_order"
    redis.lpush("orders", json.dumps(tomorrow))
    following = queue_write(redis, product, order_id, note="n")
    assert redis.llen(f"order:{order_id}:waiting") == 1

    running.worker("orders")

    assert ended(redis, following)["result"]["problem"]["type"] == "not-found"
    assert record(redis, order_id)["status"] == "FAILURE"
    assert record(redis, order_id)["problem"]["type"] == "parked"
    assert "create_better_order" in json.loads(redis.hget("parked", order_id) or "")["reason"]


def test_a_requeued_write_is_carried_out(
    running: Service,
    redis: Redis,
    command: Callable[..., subprocess.CompletedProcess[str]],
    unique: Callable[[str], str],
) -> None:
    product = unique("product")
    redis.set(f"product:{product}:stock", 10)
    task_id = queue_write(redis, product)
    redis.set(f"task:{task_id}:starts", 3)
    message = json.loads(redis.lindex("orders", 0) or "")
    message["properties"]["delivery_info"]["redelivered"] = True
    redis.lset("orders", 0, json.dumps(message))
    park(redis, "orders")
    assert record(redis, task_id)["status"] == "FAILURE"

    done = command("parked", "requeue", task_id, "nobody")

    assert (done.returncode, done.stdout) == (1, f"requeued {task_id}\n")
    assert done.stderr == "nobody: there is no nobody\n"
    queued = json.loads(redis.lindex("orders", 0) or "")
    assert queued["properties"]["delivery_tag"] != message["properties"]["delivery_tag"]
    assert "redelivered" not in queued["properties"]["delivery_info"]
    assert queued["body"] == message["body"]
    assert record(redis, task_id)["status"] == "QUEUED"
    assert "problem" not in record(redis, task_id)
    assert redis.ttl(f"celery-task-meta-{task_id}") == -1
    assert not redis.exists("parked", f"task:{task_id}:starts")
    assert counted(redis, "parked_requeued") == 1
    running.worker("orders")
    assert ended(redis, task_id)["result"]["outcome"] == "created"
    assert redis.get(f"product:{product}:stock") == "7"


def test_a_requeued_write_waits_behind_the_orders_last_one(
    running: Service, redis: Redis, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    redis.set(f"product:{product}:stock", 10)
    order_id = queue_write(redis, product)
    park(redis, "orders")
    second, third = (queue_write(redis, product, order_id, note=note) for note in ("2", "3"))
    parked = ParkedMessages(redis).find(order_id)
    assert parked is not None

    assert ParkedMessages(redis).requeue(parked)

    waiting = [json.loads(each)["headers"]["id"] for each in redis.lrange(f"order:{order_id}:waiting", 0, -1)]
    assert [json.loads(each)["headers"]["id"] for each in redis.lrange("orders", 0, -1)] == [second]
    assert waiting == [third, order_id]
    fourth = queue_write(redis, product, order_id, note="4")
    running.worker("orders")
    assert ended(redis, fourth)["result"]["outcome"] == "updated"
    assert ended(redis, order_id)["result"]["outcome"] == "created"
    assert not redis.exists(f"order:{order_id}:waiting", f"order:{order_id}:last")


def test_a_write_that_ended_by_another_copy_is_requeued_without_a_new_beginning(
    redis: Redis, unique: Callable[[str], str]
) -> None:
    task_id = queue_write(redis, unique("product"))
    park(redis, "orders")
    parked = ParkedMessages(redis).find(task_id)
    assert parked is not None
    redis.set(f"celery-task-meta-{task_id}", json.dumps(record(redis, task_id) | {"status": "SUCCESS"}))

    assert ParkedMessages(redis).requeue(parked)

    assert record(redis, task_id)["status"] == "SUCCESS"
    assert redis.llen("orders") == 1
    assert not redis.exists(f"order:{task_id}:last")


def test_a_write_that_has_not_ended_is_left_alone(own: Servers, redis: Redis, unique: Callable[[str], str]) -> None:
    task_id = queue_write(redis, unique("product"))
    park(redis, "orders")
    messages = ParkedMessages(redis)
    parked = messages.find(task_id)
    assert parked is not None
    redis.set(f"celery-task-meta-{task_id}", json.dumps(record(redis, task_id) | {"status": "STARTED"}))

    for act in (messages.requeue, lambda each: messages.discard(each, own.orders(), Stock(redis))):  # type: ignore[arg-type]
        with pytest.raises(NotPossibleError, match="not ended"):
            act(parked)

    assert redis.hexists("parked", task_id)


def test_a_level_whose_task_fails_is_parked_and_takes_effect_when_it_is_requeued(
    running: Service, redis: Redis, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    redis.hset(f"product:{product}:level", "at", "not a number")
    redis.lpush("stock", envelope("set_stock_level", product, level(product), "stock", subject=product))
    running.worker("stock", "", "--pool", "solo")

    parked = eventually(lambda: ParkedMessages(redis).find(product))
    eventually(lambda: redis.hlen("unacked") == 0)
    assert parked is not None
    assert "it raised ResponseError" in parked.entry["reason"]
    redis.delete(f"product:{product}:level")
    assert [ParkedMessages(redis).requeue(parked) for _ in range(2)] == [True, False]
    eventually(lambda: redis.get(f"product:{product}:stock") == "5")
    assert counted(redis, "parked_requeued") == 1


def test_discarding_a_write_gives_its_stock_back(
    own: Servers,
    redis: Redis,
    command: Callable[..., subprocess.CompletedProcess[str]],
    unique: Callable[[str], str],
) -> None:
    product = unique("product")
    redis.set(f"product:{product}:stock", 10)
    holding, stored, other = (queue_write(redis, product) for _ in range(3))
    for each in (holding, stored, other):
        Stock(redis).move([Movement(each, 1, each, {product: 3})])
        park(redis, "orders")
    own.orders().insert_one({"_id": stored, "timeline": [{"version": 1, "taskId": stored, "change": "created"}]})

    done = command("parked", "discard", holding, stored)

    assert done.stdout == f"discarded {holding}\n"
    assert f"{stored}: it took effect (version 1), and its record says so now" in done.stderr
    assert done.returncode == 1
    assert redis.get(f"product:{product}:stock") == "4"
    assert record(redis, holding)["problem"]["type"] == "discarded"
    assert record(redis, holding)["status"] == "FAILURE"
    assert 0 < redis.ttl(f"celery-task-meta-{holding}") <= 24 * 3600
    assert record(redis, stored)["status"] == "SUCCESS"
    assert record(redis, stored)["result"]["outcome"] == "created"
    assert redis.hkeys("parked") == [other]
    assert counted(redis, "parked_discarded") == 1


def test_a_discard_that_was_cut_off_can_only_be_finished(
    own: Servers,
    redis: Redis,
    command: Callable[..., subprocess.CompletedProcess[str]],
    unique: Callable[[str], str],
) -> None:
    product = unique("product")
    redis.set(f"product:{product}:stock", 10)
    task_id = queue_write(redis, product)
    Stock(redis).move([Movement(task_id, 1, task_id, {product: 3})])
    park(redis, "orders")

    class CutOff(Stock):
        def undo(self, *_: Any) -> None:
            raise KeyboardInterrupt

    messages = ParkedMessages(redis)
    parked = messages.find(task_id)
    assert parked is not None
    with pytest.raises(KeyboardInterrupt):
        messages.discard(parked, own.orders(), CutOff(redis))  # type: ignore[arg-type]

    assert "discard it again" in command("parked", "requeue", task_id).stderr
    assert not messages.discard(parked, own.orders(), Stock(redis))  # type: ignore[arg-type]
    assert redis.get(f"product:{product}:stock") == "7"
    assert command("parked", "discard", "--all").stdout == f"discarded {task_id}\n"
    assert redis.get(f"product:{product}:stock") == "10"
    assert not redis.exists("parked")


def test_what_a_customer_wrote_is_shown_only_when_asked_for(
    redis: Redis, command: Callable[..., subprocess.CompletedProcess[str]], unique: Callable[[str], str]
) -> None:
    task_id = queue_write(redis, unique("product"))
    park(redis, "orders", reason="it was too hot")

    listed, shown, whole = (
        command("parked", *words).stdout for words in (("list",), ("show", task_id), ("show", task_id, "--body"))
    )

    for text in (listed, shown, whole):
        assert task_id in text
        assert "create_order" in text
        assert "it was too hot" in text
    assert SECRET not in listed + shown
    assert SECRET in whole


def test_malformed_items_are_listed_requeued_and_discarded(
    running: Service,
    redis: Redis,
    command: Callable[..., subprocess.CompletedProcess[str]],
    unique: Callable[[str], str],
) -> None:
    first, second = unique("product"), unique("product")
    tagless = json.loads(envelope("set_stock_level", first, level(first), "stock"))
    del tagless["properties"]["delivery_tag"]
    in_hand = json.dumps([json.loads(envelope("set_stock_level", second, level(second), "stock")), "", "stock"])
    redis.lpush("stock.malformed", json.dumps(tagless), b"\xff\x00 no text")
    redis.lpush("unacked.malformed", in_hand)
    redis.lpush("logins.malformed", "left alone")

    lines = command("malformed", "list").stdout.splitlines()
    ids = {line.split()[1]: line.split()[0] for line in lines[1:]}
    binary, _ = (line.split()[0] for line in lines[1:] if line.split()[1] == "stock")

    assert len(lines) == 5
    shown = command("malformed", "show", binary, "--body").stdout
    assert "can't be requeued: it is no message of a task" in shown
    assert "\\xff\x00 no text" in shown
    requeued = command("malformed", "requeue", "--queue", "stock", "--all")
    assert (requeued.returncode, requeued.stdout.count("requeued")) == (1, 1), requeued.stderr
    assert binary in requeued.stderr
    assert command("malformed", "requeue", ids["unacked"]).returncode == 0
    discarded = command("malformed", "discard", binary, binary)
    assert (discarded.returncode, discarded.stdout) == (1, f"discarded {binary}\n")
    assert redis.lrange("logins.malformed", 0, -1) == ["left alone"]
    assert not redis.exists("stock.malformed", "unacked.malformed")
    assert (counted(redis, "malformed_requeued"), counted(redis, "malformed_discarded")) == (2, 1)
    running.worker("stock", "", "--pool", "solo")
    eventually(lambda: redis.mget(f"product:{first}:stock", f"product:{second}:stock") == ["5", "5"])
