"""What a value may be, where it may stand, and what is said of a wrong one."""

from pathlib import Path

import pytest

from settings import Settings, settings

read = settings.__wrapped__

WRONG = [
    *[("PORT", value) for value in ("0", "-1", "65536", "abc", "80.5", "8002x", "0x1f", " ")],
    *[("REDIS_PORT", value) for value in ("0", "65536", "redis")],
    *[("REDIS_HOST", value) for value in (" ", "redis:6379", "redis://redis", "my redis", "redis/0")],
    *[("HOST", value) for value in (" ", "http://0.0.0.0", "0.0.0.0 ")],
    *[
        ("KAFKA_BROKER", value)
        for value in ("kafka", "kafka:", ":9092", "kafka:0", "kafka:65536", "kafka:port", "a:1,b", "a:1, b:2", "a:1,")
    ],
    *[("REDIS_DB", value) for value in ("-1", "one")],
    *[("REDIS_TLS", value) for value in ("maybe", "2")],
    *[("CURRENCY", value) for value in ("usd", "US", "USDT", "U$D", "ÄÖÜ", "USD\n")],
    *[("NOTIFICATIONS_OFF", value) for value in ("maybe", "Reject", "true")],
    *[(name, value) for name in ("API_WORKERS", "API_THREADS", "WORKER_CONCURRENCY") for value in ("0", "all", "9999")],
    *[("VISIBILITY_TIMEOUT", value) for value in ("0", "1.5", "86401", "1m")],
    *[("OUTBOX_SWEEP_SECONDS", value) for value in ("0", "-1", "nan", "inf", "soon")],
    *[("QUEUE_MARK", value) for value in ("0", "-1", "1.5", "many")],
    *[("KAFKA_GROUP", value) for value in (" ", "a group", "g" * 201)],
    *[("LOG_LEVEL", value) for value in ("info", "LOUD", "10")],
    ("HEARTBEAT_FILE", "no-such-folder/heartbeat"),
]

SECRET = "hunter2"
WRONG_URIS = [
    f"http://shop:{SECRET}@mongo/orders",
    f"mongo:27017/{SECRET}",
    "mongodb://",
    f"mongodb://shop:{SECRET}@/orders",
    f"mongodb://shop:{SECRET}@mongo:port/orders",
    f"mongodb://shop:{SECRET}@mongo:65536/orders",
    f"mongodb://shop:a@{SECRET}@mongo/orders",
    f"mongodb://shop:%{SECRET}@mongo/orders",
    f"mongodb://shop:/{SECRET}@mongo/orders",
    f"mongodb://shop:{SECRET}@mongo/my orders",
    f"mongodb://shop:{SECRET}@mongo/orders?retryWrites={SECRET}",
    f"mongodb://shop:{SECRET}@mongo/orders?{SECRET}=1",
    f"mongodb://shop:{SECRET}@mongo/orders?replicaSet",
    f"mongodb://shop:{SECRET}@mongo/orders?tls=true&tlsCAFile=/{SECRET}",
    f"mongodb+srv://shop:{SECRET}@cluster.example.com:27017/orders",
    f"mongodb+srv://shop:{SECRET}@one.example.com,two.example.com/orders",
]


def refused(capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines on standard error with which the settings were refused, and nothing else was said."""
    with pytest.raises(SystemExit) as end:
        read()
    assert end.value.code == 2
    out, err = capfd.readouterr()
    assert out == ""
    return err.splitlines()


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)

    (line,) = refused(capfd)

    assert line.startswith(f"order-service: {name} is wrong: ")
    assert "pattern" not in line, "a regular expression tells an operator nothing"


@pytest.mark.parametrize("uri", WRONG_URIS)
def test_a_malformed_mongo_uri_is_refused_at_start_and_never_shown(
    uri: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MONGO_URI", uri)

    (line,) = refused(capfd)

    assert line.startswith("order-service: MONGO_URI is wrong: must be mongodb://")
    assert SECRET not in line


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://mongo",
        "mongodb://127.0.0.1:27017/orders?replicaSet=rs0",
        "mongodb://shop:p%40ss%2Fword@a:27017,b:27018/shop?authSource=admin&retryWrites=true&w=majority",
        "mongodb://[::1]:27017/orders",
        # Nobody answers for this name, and nobody is asked.
        "mongodb+srv://shop:secret@cluster.invalid/orders?srvMaxHosts=2",
    ],
)
def test_a_mongo_uri_as_mongodb_takes_it_is_taken(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGO_URI", uri)

    assert read().mongo_uri.get_secret_value() == uri


def test_several_wrong_values_are_named_each(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = {"PORT": "abc", "KAFKA_BROKER": "kafka", "CURRENCY": "usd", "MONGO_URI": f"mongodb://u:{SECRET}@"}
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)

    lines = refused(capfd)

    assert sorted(line.split()[1] for line in lines) == sorted(wrong)
    assert SECRET not in "".join(lines)


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("PORT", "1", 1),
        ("PORT", "65535", 65535),
        ("REDIS_HOST", "redis.shop.svc", "redis.shop.svc"),
        ("KAFKA_BROKER", "a:1,b.example.com:65535", "a:1,b.example.com:65535"),
        ("HOST", "0.0.0.0", "0.0.0.0"),
        ("HOST", "::", "::"),
        ("REDIS_TLS", "1", True),
        ("CURRENCY", "EUR", "EUR"),
        ("NOTIFICATIONS_OFF", "accept", "accept"),
        ("OUTBOX_SWEEP_SECONDS", "0.5", 0.5),
        ("HEARTBEAT_FILE", "heartbeat", "heartbeat"),
    ],
)
def test_a_right_value_is_taken(name: str, value: str, taken: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)

    assert getattr(read(), name.lower()) == taken


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_what_is_unset_or_empty_is_the_default(name: str, empty: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if empty:
        monkeypatch.setenv(name.upper(), "")

    assert getattr(read(), name) == Settings.model_fields[name].default


def test_the_dot_env_of_the_working_directory_is_read() -> None:
    Path(".env").write_text("# a comment\nPORT=9001\nexport CURRENCY='EUR'\nUNKNOWN=1\nKAFKA_BROKER=\n")

    assert (read().port, read().currency, read().kafka_broker) == (9001, "EUR", "127.0.0.1:9092")


def test_the_environment_wins_over_dot_env(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PORT=9001\nCURRENCY=EUR\n")
    monkeypatch.setenv("PORT", "9002")

    assert (read().port, read().currency) == (9002, "EUR")


def test_a_wrong_value_in_dot_env_is_named_like_one_of_the_environment(capfd: pytest.CaptureFixture[str]) -> None:
    Path(".env").write_text("REDIS_PORT=none\n")

    (line,) = refused(capfd)

    assert line.startswith("order-service: REDIS_PORT is wrong: ")


@pytest.mark.parametrize("secret", ["MONGO_URI", "REDIS_PASSWORD"])
def test_a_secret_is_not_in_what_the_settings_look_like(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(secret, f"mongodb://shop:{SECRET}@mongo/orders")

    assert SECRET not in f"{read()} {read()!r}"
