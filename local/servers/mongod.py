"""MongoDB as the service needs it: a replica set of one, so that writes are journaled by majority and sessions work."""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ctypes import CDLL
from functools import cache
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from local.downloads import Download
from local.servers.server import Server
from local.wheels import LIBCURL, MONGOD

REPLICA_SET = "rs0"
NOT_YET_INITIALIZED = 94
NEEDED_LIBRARY = "libcurl.so.4"


@cache
def has_libcurl() -> bool:
    """Tell whether the machine has the one library of the wheel's mongod that a bare one may lack."""
    try:
        CDLL(NEEDED_LIBRARY)
    except OSError:
        return False
    return True


class Mongod(Server):
    """`mongod` of PATH, else of a wheel."""

    name = "mongod"

    @property
    def uri(self) -> str:
        """How a client finds it, with the service's database."""
        return f"mongodb://127.0.0.1:{self.port}/orders?replicaSet={REPLICA_SET}"

    def downloads(self) -> Sequence[Download]:
        """Return the wheel, unless PATH has a mongod, and what the wheel's needs."""
        if shutil.which("mongod"):
            return []
        return [MONGOD] if has_libcurl() else [MONGOD, LIBCURL]

    def _command(self) -> Sequence[str]:
        program = shutil.which("mongod") or str(MONGOD.unpacked / "mongod")
        command = [program, f"--port={self.port}", "--bind_ip=127.0.0.1", f"--dbpath={self.directory}"]
        command += [f"--replSet={REPLICA_SET}", "--wiredTigerCacheSizeGB=0.5", "--nounixsocket", "--quiet"]
        return [*command, "--setParameter=diagnosticDataCollectionEnabled=false"]

    def _environment(self) -> Mapping[str, str]:
        if shutil.which("mongod") or has_libcurl():
            return os.environ
        (library,) = LIBCURL.unpacked.glob("libcurl-*")
        with suppress(FileExistsError):
            (LIBCURL.unpacked / NEEDED_LIBRARY).symlink_to(library.name)
        return {**os.environ, "LD_LIBRARY_PATH": str(LIBCURL.unpacked)}

    def _answers(self) -> bool:
        client: MongoClient[dict[str, Any]]
        with MongoClient("127.0.0.1", self.port, directConnection=True, timeoutMS=1000) as client:
            try:
                if client.admin.command("hello").get("isWritablePrimary"):
                    return self._at_home(client)
                self._configure(client)
            except PyMongoError:
                return False
        return False

    def _at_home(self, client: "MongoClient[dict[str, Any]]") -> bool:
        """Tell whether the replica set names this port; else move it: clients would be sent to the old one."""
        config = client.admin.command("replSetGetConfig")["config"]
        if config["members"] == self._members(config):
            return True
        self._reconfigure(client, config)
        return False

    def _configure(self, client: "MongoClient[dict[str, Any]]") -> None:
        try:
            config = client.admin.command("replSetGetConfig")["config"]
        except OperationFailure as error:
            if error.code == NOT_YET_INITIALIZED:
                members = [{"_id": 0, "host": f"127.0.0.1:{self.port}"}]
                client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
            return
        if config["members"] != self._members(config):
            self._reconfigure(client, config)

    def _reconfigure(self, client: "MongoClient[dict[str, Any]]", config: Mapping[str, Any]) -> None:
        moved = {**config, "version": config["version"] + 1, "members": self._members(config)}
        client.admin.command("replSetReconfig", moved, force=True)

    def _members(self, config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        return [{**config["members"][0], "host": f"127.0.0.1:{self.port}"}]
