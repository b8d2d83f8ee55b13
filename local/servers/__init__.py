"""The three servers the service needs, real ones, each with its data in a folder that it is given."""

from local.servers.kafka_broker import KafkaBroker
from local.servers.mongod import Mongod
from local.servers.redis_server import RedisServer
from local.servers.server import Server

__all__ = ["KafkaBroker", "Mongod", "RedisServer", "Server"]
