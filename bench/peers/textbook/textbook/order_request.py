"""The body of a create, as a client may send it."""

import json
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

MAX_QUANTITY = 10_000


def _unreserved(user_id: str) -> str:
    if user_id in {"all", "create"}:
        raise ValueError("is a reserved word")
    return user_id


def _number(value: object) -> object:
    if isinstance(value, bool | str):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic reports a ValueError, not a TypeError
    return value


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number or a string")  # noqa: TRY004 - as above
    return value


def _at_most(limit: int) -> AfterValidator:
    def check(value: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) > limit:
            raise ValueError(f"is longer than {limit} bytes")
        return value

    return AfterValidator(check)


Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
Quantity = Annotated[int, BeforeValidator(_number), Field(ge=1, le=MAX_QUANTITY)]
Money = Annotated[Decimal, BeforeValidator(_no_boolean), Field(ge=0, lt=10**9, decimal_places=4)]


class Item(BaseModel):
    """One product of the order."""

    model_config = ConfigDict(extra="forbid")

    productId: Id  # noqa: N815
    quantity: Quantity
    unitPrice: Money | None = None  # noqa: N815


def _merge_lines(items: list[Item]) -> list[Item]:
    merged: dict[str, Item] = {}
    for line in items:
        earlier = merged.setdefault(line.productId, line)
        if earlier is line:
            continue
        earlier.quantity += line.quantity
        if earlier.quantity > MAX_QUANTITY:
            raise ValueError(f"the quantities of {line.productId} add up to more than {MAX_QUANTITY}")
        if earlier.unitPrice != line.unitPrice:
            raise ValueError(f"the prices of {line.productId} differ")
    return list(merged.values())


class OrderRequest(BaseModel):
    """An order that a client asks for."""

    model_config = ConfigDict(extra="forbid")

    userId: Annotated[Id, AfterValidator(_unreserved)]  # noqa: N815
    items: Annotated[list[Item], Field(min_length=1, max_length=100), AfterValidator(_merge_lines)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"
    shippingAddress: Annotated[dict[str, str], _at_most(4096)] | None = None  # noqa: N815
    note: Annotated[str, StringConstraints(max_length=2000)] | None = None
    metadata: Annotated[dict[str, Any], _at_most(16_384)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _items_from_flat(cls, body: Any) -> Any:
        """Take one product that is given flat, beside the user."""
        if not isinstance(body, dict) or "productId" not in body or "items" in body:
            return body
        item = {key: body[key] for key in ("productId", "quantity", "unitPrice") if key in body}
        return {key: value for key, value in body.items() if key not in item} | {"items": [item]}
