"""The headers of one message, read by librdkafka itself, for the one case that its Python client has no word for.

The name of a header is bytes to Kafka. Where one is not UTF-8, confluent-kafka gives none of the message's headers; the
library that it brings along does, through its public C interface (rdkafka.h).
"""

import ctypes
from contextlib import ExitStack

from confluent_kafka import cimpl

TIMEOUT_MS = 5000
"""How long Kafka has to send the message again."""

_CONSUMER = 1  # rd_kafka_type_t
_ERRORS = 512

RawHeaders = list[tuple[bytes, bytes | None]]


class _Message(ctypes.Structure):
    """rd_kafka_message_t, as rdkafka.h declares it."""

    _fields_ = (
        ("err", ctypes.c_int),
        ("topic", ctypes.c_void_p),
        ("partition", ctypes.c_int32),
        ("payload", ctypes.c_void_p),
        ("len", ctypes.c_size_t),
        ("key", ctypes.c_void_p),
        ("key_len", ctypes.c_size_t),
        ("offset", ctypes.c_int64),
        ("private", ctypes.c_void_p),
    )


def read_raw_headers(brokers: str, topic: str, partition: int, offset: int) -> RawHeaders | None:
    """Return names and values as they are, None where the message can't be had (any more)."""
    library = _library()
    with ExitStack() as ends:
        conf = ctypes.c_void_p(library.rd_kafka_conf_new())
        reason = ctypes.create_string_buffer(_ERRORS)
        for name, value in ((b"bootstrap.servers", brokers.encode()), (b"log_level", b"0")):
            library.rd_kafka_conf_set(conf, name, value, reason, _ERRORS)
        client = ctypes.c_void_p(library.rd_kafka_new(_CONSUMER, conf, reason, _ERRORS))
        if not client:
            return None
        ends.callback(library.rd_kafka_destroy, client)
        source = ctypes.c_void_p(library.rd_kafka_topic_new(client, topic.encode(), None))
        ends.callback(library.rd_kafka_topic_destroy, source)
        if library.rd_kafka_consume_start(source, ctypes.c_int32(partition), ctypes.c_int64(offset)) != 0:
            return None
        ends.callback(library.rd_kafka_consume_stop, source, ctypes.c_int32(partition))
        message = library.rd_kafka_consume(source, ctypes.c_int32(partition), TIMEOUT_MS)
        if not message:
            return None
        ends.callback(library.rd_kafka_message_destroy, message)
        if message.contents.err or message.contents.offset != offset:
            return None
        return _headers(library, message)


def _headers(library: ctypes.CDLL, message: object) -> RawHeaders:
    headers, name = ctypes.c_void_p(), ctypes.c_char_p()
    value, size = ctypes.c_void_p(), ctypes.c_size_t()
    found: RawHeaders = []
    if library.rd_kafka_message_headers(message, ctypes.byref(headers)) != 0:
        return found
    while (
        library.rd_kafka_header_get_all(
            headers, ctypes.c_size_t(len(found)), ctypes.byref(name), ctypes.byref(value), ctypes.byref(size)
        )
        == 0
    ):
        held = None if value.value is None else ctypes.string_at(value.value, size.value)
        found.append((name.value or b"", held))
    return found


def _library() -> ctypes.CDLL:
    # The client's own copy, wherever that is: what is asked of a module is looked for in the libraries it needs, too.
    library = ctypes.CDLL(cimpl.__file__)
    for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_topic_new"):
        getattr(library, function).restype = ctypes.c_void_p
    library.rd_kafka_consume.restype = ctypes.POINTER(_Message)
    return library
