"""What the headers of a write ask for: that it happens once (`Idempotency-Key`), or to a known version (`If-Match`)."""

import hashlib
import json
import re
from typing import Any

from werkzeug import Request

from api.json_body import WriteRequest
from api.problems import malformed
from tasks.accept import IdempotencyKey

MAX_KEY_CHARACTERS = 255

# A string of RFC 9651, section 3.3.3, but for the space; and the same without its quotes.
_QUOTED_KEY = re.compile(r'"((?:[!#-\[\]-~]|\\["\\])+)"')
_BARE_KEY = re.compile(r"[!#-~][!-~]*")
# RFC 9110, section 8.8.3
_TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_TAGS = re.compile(rf"[ \t]*{_TAG}[ \t]*(?:,[ \t]*{_TAG}[ \t]*)*")
_VERSION_TAG = re.compile(r'(W/)?"([1-9][0-9]{0,17})"')


def idempotency_key(request: WriteRequest, body: dict[str, Any]) -> IdempotencyKey | None:
    """Return the key under which this write is remembered, None where the caller gave none.

    `body` is the validated one: other spellings of the same order are the same write.
    https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
    """
    header = request.headers.get("Idempotency-Key")
    if header is None:
        return None
    quoted = _QUOTED_KEY.fullmatch(header)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else header
    if not (quoted or _BARE_KEY.fullmatch(header)) or len(key) > MAX_KEY_CHARACTERS:
        raise malformed(f"Idempotency-Key must be 1 to {MAX_KEY_CHARACTERS} visible characters, bare or in quotes.")
    name = _digest([_caller(request), request.method, request.path, key])
    return IdempotencyKey(f"idempotency:{name}", _digest(body))


def wanted_versions(request: Request) -> frozenset[int] | None:
    """Return the versions to which alone the write may happen, None where any will do.

    A tag that is weak, or none that this service gives, matches no version.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    if not _TAGS.fullmatch(header):
        raise malformed('If-Match must be * or the ETags of an order: "<version>", with commas between.')
    return frozenset(int(version) for weak, version in _VERSION_TAG.findall(header) if not weak)


def _caller(_request: WriteRequest) -> str:
    """Return whose keys these are: one name for all, as long as nobody has to say who they are."""
    return "anyone"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
