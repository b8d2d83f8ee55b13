"""The OpenAPI 3.1 description of the API, built from the same models that check requests."""

from functools import cache
from typing import Any

import orjson
from flask import Blueprint, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api import bodies
from api.problems import PROBLEM_JSON
from api.reading import MAX_LIMIT
from models.ids import ID_PATTERN
from models.order import STATUSES

blueprint = Blueprint("description", __name__)
_BODIES: tuple[type[BaseModel], ...] = (
    bodies.CreateOrder,
    bodies.CreateOrderFlat,
    bodies.UpdateOrder,
    bodies.UpdateOrderFlat,
)
_ID = {"type": "string", "pattern": f"^{ID_PATTERN}$"}
_TIME = {"type": "string", "format": "date-time"}


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Show the description."""
    return Response(orjson.dumps(document()), content_type="application/json")


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Order Service", "version": "1", "description": "Takes orders; workers carry them out."},
        "paths": _paths(),
        "components": {"schemas": _schemas(), "responses": _problem_responses()},
    }


def _paths() -> dict[str, Any]:
    listing = [
        _query("limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}),
        _query("cursor", {"type": "string"}),
    ]
    listing.append(_query("status", {"enum": list(STATUSES)}))
    writes = {"202": _accepted(), **_refs(400, 503)}
    with_body = {**writes, **_refs(413, 415, 422)}
    changes = _refs(404, 412)
    once = _asked("Idempotency-Key", "One key, path and body are one write with one answer.", "basket-4711")
    known = _asked("If-Match", "ETags of the order as it is known: it is written in such a version alone.", '"3"')
    orders = _json("Orders, newest first.", {"type": "array", "items": _ref("Order")})
    orders["headers"] = {"Link": {"description": "The next page, rel=next.", "schema": {"type": "string"}}}
    both = "A user's id for GET, an order's for PUT and DELETE."
    return {
        "/order/create": {
            "post": _operation(
                "createOrder", "Create an order", with_body, [once], body=("CreateOrder", "CreateOrderFlat")
            )
        },
        "/order/all": {
            "get": _operation(
                "listOrders", "List all orders", {"200": orders, **_refs(400, 503)}, [*listing, _query("userId", _ID)]
            )
        },
        "/order/{id}": {
            "parameters": [{**_path("id"), "description": both}],
            "get": _operation(
                "listUserOrders",
                "List a user's orders and publish them",
                {"200": orders, **_refs(400, 404, 503)},  # 404 for a path that is no id
                listing,
            ),
            "put": _operation(
                "updateOrder",
                "Change an order",
                {**with_body, **changes},
                [once, known],
                body=("UpdateOrder", "UpdateOrderFlat"),
            ),
            "delete": _operation("deleteOrder", "Delete an order", {**writes, **changes}, [once, known]),
        },
        "/orders/{orderId}": {
            "parameters": [_path("orderId")],
            "get": _operation(
                "showOrder",
                "Show an order with its timeline",
                {
                    "200": _json("The order.", _ref("OrderWithTimeline"), {"ETag": _header("The order's version.")}),
                    "304": {"description": "Not modified."},
                    **_refs(404, 503),
                },
            ),
        },
        "/task/{taskId}": {
            "parameters": [_path("taskId")],
            "get": _operation(
                "showTask", "Show how a write is doing", {"200": _json("Its state.", _ref("Task")), **_refs(404, 503)}
            ),
        },
        "/livez": {"get": _operation("live", "Is the process alive?", {"200": _json("Yes.", {"type": "object"})})},
        "/readyz": {
            "get": _operation(
                "ready",
                "Do MongoDB and Redis answer?",
                {"200": _json("Both do.", {"type": "object"}), "503": _json("Not both.", {"type": "object"})},
            )
        },
        "/openapi.json": {"get": _operation("describe", "This document", {"200": _json("It.", {"type": "object"})})},
    }


def _schemas() -> dict[str, Any]:
    _, made = models_json_schema(
        [(body, "validation") for body in _BODIES], ref_template="#/components/schemas/{model}"
    )
    item = _object(productId=_ID, quantity={"type": "integer"}, unitPrice={"type": ["string", "null"]})
    order = {
        "orderId": _ID,
        "userId": _ID,
        "items": {"type": "array", "items": item},
        "currency": {"type": "string"},
        "total": {"type": ["string", "null"]},
        "status": {"enum": list(STATUSES)},
        "shippingAddress": {"type": ["object", "null"]},
        "note": {"type": ["string", "null"]},
        "metadata": {"type": ["object", "null"]},
        "version": {"type": "integer", "minimum": 1},
        "createdAt": _TIME,
        "updatedAt": _TIME,
    }
    change = {"enum": ["created", "updated", "deleted"]}
    entry = _object(version={"type": "integer"}, status={"enum": list(STATUSES)}, at=_TIME, taskId=_ID, change=change)
    state = {"enum": ["QUEUED", "STARTED", "RETRY", "SUCCESS", "FAILURE", "REVOKED"]}
    return {
        **made["$defs"],
        "Order": _object(**order),
        "OrderWithTimeline": _object(**order, timeline={"type": "array", "items": entry}),
        "Accepted": _object(
            taskId=_ID, orderId=_ID, state=state, statusUrl={"type": "string"}, orderUrl={"type": "string"}
        ),
        "Task": _object(
            taskId=_ID,
            orderId=_ID,
            state=state,
            outcome={"enum": ["created", "updated", "deleted", "rejected", None]},
            order={"anyOf": [_ref("Order"), {"type": "null"}]},
            problem={"anyOf": [_ref("Problem"), {"type": "null"}]},
            acceptedAt=_TIME,
            endedAt={"type": ["string", "null"]},
        ),
        "Problem": _problem(),
    }


def _problem() -> dict[str, Any]:
    described = _object(
        type={"type": "string"}, title={"type": "string"}, status={"type": "integer"}, detail={"type": "string"}
    )
    # What some types add; `required` stays as it is.
    described["properties"] |= {
        "errors": {"type": "array", "items": _object(pointer={"type": "string"}, detail={"type": "string"})},
        "taskId": _ID,
        "statusUrl": {"type": "string"},
    }
    return described


def _problem_responses() -> dict[str, Any]:
    texts = {
        400: "Malformed.",
        404: "Not found.",
        412: "`precondition-failed`: the order is at another version than If-Match names.",
        413: "Too large.",
        415: "Not JSON.",
        422: "`invalid`: JSON, but no valid order, `errors` says where; or `idempotency-key-reused`.",
        503: "`unavailable`: a server is away, nothing was changed. To a write also `outcome-unknown`: it may have "
        "been accepted, ask for `statusUrl` or send it again with its Idempotency-Key; or `overloaded`: not accepted.",
    }
    responses: dict[str, Any] = {
        f"Problem{status}": {"description": text, "content": {PROBLEM_JSON: {"schema": _ref("Problem")}}}
        for status, text in texts.items()
    }
    responses["Problem503"]["headers"] = {
        "Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer"}}
    }
    return responses


def _operation(
    operation_id: str,
    summary: str,
    responses: dict[str, Any],
    parameters: list[dict[str, Any]] | None = None,
    body: tuple[str, ...] = (),
) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": operation_id, "summary": summary, "responses": responses}
    if parameters:
        operation["parameters"] = parameters
    if body:
        schema = {"anyOf": [_ref(name) for name in body]}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _accepted() -> dict[str, Any]:
    return _json("Accepted; a worker carries it out.", _ref("Accepted"), {"Location": _header("Where its state is.")})


def _json(description: str, schema: dict[str, Any], headers: dict[str, Any] | None = None) -> dict[str, Any]:
    response: dict[str, Any] = {"description": description, "content": {"application/json": {"schema": schema}}}
    return response if headers is None else {**response, "headers": headers}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _refs(*statuses: int) -> dict[str, Any]:
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _ID}


def _asked(name: str, description: str, example: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}, "example": example}


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}
