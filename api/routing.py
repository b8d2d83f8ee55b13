"""Ids in paths: `/order/<userId>` and `/order/<orderId>` never match `/order/all` and `/order/create`."""

from werkzeug.routing import BaseConverter

from models.ids import ID_PATTERN, RESERVED_USER_IDS


class IdConverter(BaseConverter):
    """An id in a path. Without the guard `PUT /order/create` would be the update of an order called `create`."""

    regex = rf"(?!(?:{'|'.join(sorted(RESERVED_USER_IDS))})(?:/|$)){ID_PATTERN}"
