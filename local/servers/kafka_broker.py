"""Apache Kafka on one node: broker and controller in one process (KRaft), set up to come back quickly after a kill."""

import os
import socket
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from local.downloads import Download
from local.errors import LocalError
from local.jars import kafka_jars
from local.ports import free_port
from local.processes import Child
from local.servers.java import java, java_of_path
from local.servers.server import Server
from local.wheels import JAVA

# Of the two compilers the quick one alone: this broker is always young, and the other one takes a core for up to a
# tenth of a second again and again, from whatever is measured or tested beside it.
OPTIONS = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)

# Replication factors of one, few partitions, and no wait for more members of a consumer group. After a kill the
# broker's own earlier registration must expire before it answers: 1.5 s, not 9 s.
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
auto.create.topics.enable=false
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
"""


class KafkaBroker(Server):
    """Apache Kafka of KAFKA_HOME, else the pinned jars, on a Java of PATH, else of a wheel."""

    name = "kafka"

    @property
    def bootstrap(self) -> str:
        """How a client finds it."""
        return f"127.0.0.1:{self.port}"

    def downloads(self) -> Sequence[Download]:
        """Return the jars, unless KAFKA_HOME names an installed Kafka, and a Java unless PATH has one."""
        jars = [] if os.environ.get("KAFKA_HOME") else kafka_jars()
        return [*jars, *([] if java_of_path() else [JAVA])]

    def _command(self) -> Sequence[str]:
        properties = self.directory / "server.properties"
        properties.write_text(self._properties())
        run = [str(java()), *OPTIONS, "-cp", _class_path()]
        if not (self.directory / "data" / "meta.properties").exists():
            self._format(run, properties)
        return [*run, "kafka.Kafka", str(properties)]

    def _properties(self) -> str:
        controller = f"127.0.0.1:{free_port()}"
        return PROPERTIES + (
            f"log.dirs={self.directory / 'data'}\n"
            f"controller.quorum.voters=1@{controller}\n"
            f"listeners=PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}\n"
            f"advertised.listeners=PLAINTEXT://{self.bootstrap}\n"
        )

    def _format(self, run: Sequence[str], properties: Path) -> None:
        cluster = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        command = [*run, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", f"--config={properties}"]
        tool = Child("kafka storage", command, log=self.log, cwd=self.directory)
        tool.launch()
        if tool.wait():
            raise LocalError(f"Kafka's storage could not be made; {self.log} ends with:\n{tool.log_tail()}")

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return self._lists_itself()
        return False

    def _lists_itself(self) -> bool:
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        with suppress(KafkaException):
            return bool(client.list_topics(timeout=2).brokers)
        return False


def _class_path() -> str:
    home = os.environ.get("KAFKA_HOME")
    return f"{home}/libs/*" if home else ":".join(str(jar.path) for jar in kafka_jars())
