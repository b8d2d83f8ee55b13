"""Every setting of the service: read from the environment (and `.env`) here and nowhere else.

The names are the environment variables in lower case; `.env.example` documents each. A wrong value is one line on
standard error that names the variable, never its value (it may be a secret), and exit code 2.
"""

import re
import sys
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pymongo.errors import PyMongoError
from pymongo.uri_parser_shared import _validate_uri

HIGHEST_PORT = 65_535
PortNumber = Annotated[int, Field(ge=1, le=HIGHEST_PORT)]


def _matches(pattern: str, wanted: str) -> AfterValidator:
    """Return a check whose complaint says what is wanted; a pattern says that to few."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError(wanted)
        return value

    return AfterValidator(check)


def _brokers(value: str) -> str:
    for broker in value.split(","):
        found = re.fullmatch(r"[^\s:/]+:(\d{1,5})", broker, re.ASCII)
        if found is None or not 1 <= int(found[1]) <= HIGHEST_PORT:
            raise ValueError("must be host:port, or several of them with commas between and no spaces")
    return value


def _mongo_uri(value: SecretStr) -> SecretStr:
    try:
        # What parse_uri does, less asking DNS for the hosts of mongodb+srv, which is for the first use.
        _validate_uri(value.get_secret_value())
    except (PyMongoError, ValueError, OSError):
        # The parser's own words may quote the URI, and its password with it.
        raise ValueError(
            "must be mongodb://[user:password@]host[:port]/database[?options], or the like with mongodb+srv, "
            "with user and password percent-encoded and options that MongoDB knows"
        ) from None
    return value


def _file_in_folder(value: str) -> str:
    if not Path(value).parent.is_dir():
        raise ValueError("must be a file in a folder that exists")
    return value


class Settings(BaseSettings):
    """The service's settings. Times are in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    # The five of the service this one replaces.
    port: PortNumber = Field(8002, description="port of the HTTP API")
    mongo_uri: Annotated[SecretStr, AfterValidator(_mongo_uri)] = Field(
        SecretStr("mongodb://127.0.0.1:27017/orders"),
        description="MongoDB, with the database in the path (`orders` where it names none)",
    )
    redis_host: Annotated[str, _matches(r"[^\s:/]+", "must be a name or an IPv4 address, without a port")] = Field(
        "127.0.0.1", description="Redis: broker, task records, stock and customers"
    )
    redis_port: PortNumber = Field(6379, description="port of Redis")
    kafka_broker: Annotated[str, AfterValidator(_brokers)] = Field(
        "127.0.0.1:9092", description="Kafka, as `host:port[,host:port]`"
    )

    host: Annotated[str, _matches(r"[^\s/]+", "must be a name or an address")] = Field(
        "127.0.0.1", description="address that the HTTP API listens on"
    )
    redis_db: Annotated[int, Field(ge=0)] = Field(0, description="database number in Redis")
    redis_username: str | None = Field(None, description="Redis user, where it has access control lists")
    redis_password: SecretStr | None = Field(None, description="password of Redis")
    redis_tls: bool = Field(False, description="speak TLS to Redis; its certificate is checked")

    api_workers: Annotated[int, Field(ge=1, le=256)] = Field(1, description="processes of one gunicorn")
    api_threads: Annotated[int, Field(ge=1, le=1024)] = Field(
        16, description="threads of one API process, for all but new orders"
    )
    worker_concurrency: Annotated[int, Field(ge=1, le=1024)] = Field(2, description="processes of one worker")
    visibility_timeout: Annotated[int, Field(ge=1, le=86_400)] = Field(
        60, description="seconds after which a dead worker's task is given to another"
    )
    broker_transport: Literal["ours", "stock"] = Field(
        "ours", description="how workers take messages: ours loses none, stock is kombu's own"
    )
    outbox_sweep_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        5.0, description="how often beat looks for events that were not sent at once"
    )
    queue_mark: Annotated[int, Field(ge=1)] = Field(
        100_000, description="accepted writes that may wait before new ones are refused"
    )
    stock_settle: Literal["timed", "named"] = Field(
        "timed", description="an order's units are part of a stock level: by time as well as by name, or by name alone"
    )
    stock_settle_seconds: Annotated[int, Field(ge=1, le=86_400)] = Field(
        30, description="seconds within which the product service applies an order's event, where settled by time"
    )
    kafka_group: Annotated[
        str, _matches(r"[A-Za-z0-9._-]{1,200}", "must be 1 to 200 letters, digits, dots, - and _")
    ] = Field("order-service", description="consumer group of the bridge")
    bridge_queue_mark: Annotated[int, Field(ge=1)] = Field(
        10_000, description="messages in a queue that the bridge feeds, above which it pauses that queue's topic"
    )
    dlq_limit: Annotated[int, Field(ge=1)] = Field(
        100, description="dead letters in a row after which the bridge stops reading a partition"
    )

    currency: Annotated[str, _matches(r"[A-Z]{3}", "must be three capital letters")] = Field(
        "USD", description="currency of an order that names none, three capital letters"
    )
    notifications_off: Literal["reject", "accept"] = Field(
        "reject", description="an order of a customer who wants no notifications: refuse it, or take it and say so"
    )
    heartbeat_file: Annotated[str, AfterValidator(_file_in_folder)] | None = Field(
        None, description="file that a worker, beat or bridge touches while it works, for a health check"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least severe line logged")


@cache
def settings() -> Settings:
    """Return the settings, read once per process; end the process with code 2 where one is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False, include_context=False):
            name = str(problem["loc"][0]).upper()
            reason = problem["msg"].removeprefix("Value error, ")
            print(f"order-service: {name} is wrong: {reason}", file=sys.stderr)
        raise SystemExit(2) from None
