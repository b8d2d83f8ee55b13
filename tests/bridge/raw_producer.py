"""A producer that is bound by nothing but librdkafka: Python's own refuses a header whose name is not UTF-8."""

import ctypes
from pathlib import Path

import confluent_kafka

_PRODUCER = 0
# Which argument of rd_kafka_producev comes next (rd_kafka_vtype_t).
_END, _TOPIC, _VALUE, _KEY, _MSGFLAGS, _HEADER = 0, 1, 4, 5, 7, 9
_COPY = 2


def produce(bootstrap: str, topic: str, key: bytes, value: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Send one message with these headers, and wait until Kafka has it."""
    (path,) = (Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs").glob("librdkafka*")
    library = ctypes.CDLL(str(path))
    library.rd_kafka_conf_new.restype = library.rd_kafka_new.restype = ctypes.c_void_p
    reason = ctypes.create_string_buffer(512)
    conf = ctypes.c_void_p(library.rd_kafka_conf_new())
    library.rd_kafka_conf_set(conf, b"bootstrap.servers", bootstrap.encode(), reason, len(reason))
    producer = ctypes.c_void_p(library.rd_kafka_new(_PRODUCER, conf, reason, len(reason)))
    assert producer, reason.value
    arguments: list[object] = [_TOPIC, topic.encode(), _MSGFLAGS, _COPY]
    arguments += [_VALUE, value, ctypes.c_size_t(len(value)), _KEY, key, ctypes.c_size_t(len(key))]
    for name, told in headers:
        arguments += [_HEADER, name, told, ctypes.c_ssize_t(len(told))]
    assert library.rd_kafka_producev(producer, *arguments, _END) == 0
    assert library.rd_kafka_flush(producer, 20_000) == 0
    library.rd_kafka_destroy(producer)
