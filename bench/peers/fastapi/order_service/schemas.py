"""What a client may send, and the order as JSON shows it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Self

import uuid_utils
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel

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


def _plain(amount: Decimal) -> str:
    return format(amount, "f")


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
Quantity = Annotated[int, BeforeValidator(_number), Field(ge=1, le=MAX_QUANTITY)]
# Without a serializer a Decimal may come out as 1E+2.
Amount = Annotated[Decimal, PlainSerializer(_plain, when_used="json")]
Price = Annotated[Amount, BeforeValidator(_no_boolean), Field(ge=0, lt=10**9, decimal_places=4)]
Timestamp = Annotated[datetime, PlainSerializer(_timestamp, when_used="json")]


class Schema(BaseModel):
    """Names are in snake case here, in camel case outside."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)


class Request(Schema):
    """What comes from a client: a field that is not named here is refused, not dropped."""

    model_config = ConfigDict(extra="forbid", validate_by_name=False)


class ItemRequest(Request):
    """One product that is wanted."""

    product_id: Id
    quantity: Quantity
    unit_price: Price | None = None


def _merge_lines(items: list[ItemRequest]) -> list[ItemRequest]:
    merged: dict[str, ItemRequest] = {}
    for line in items:
        earlier = merged.setdefault(line.product_id, line)
        if earlier is line:
            continue
        earlier.quantity += line.quantity
        if earlier.quantity > MAX_QUANTITY:
            raise ValueError(f"the quantities of {line.product_id} add up to more than {MAX_QUANTITY}")
        if earlier.unit_price != line.unit_price:
            raise ValueError(f"the prices of {line.product_id} differ")
    return list(merged.values())


class OrderRequest(Request):
    """An order that a client asks for."""

    user_id: Annotated[Id, AfterValidator(_unreserved)]
    items: Annotated[list[ItemRequest], Field(min_length=1, max_length=100), AfterValidator(_merge_lines)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"
    shipping_address: Annotated[dict[str, str], _at_most(4096)] | None = None
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


class Listing(Request):
    """The query of a list of all orders."""

    limit: Annotated[int, Field(ge=1, le=1000)] | None = None


class Item(Schema):
    """One product of an order."""

    product_id: str
    quantity: int
    unit_price: Amount | None


class Order(Schema):
    """An order, as it is stored and shown."""

    # Random and ordered by time, so the newest first is the order of the primary key.
    order_id: Annotated[str, Field(validation_alias="_id", default_factory=lambda: str(uuid_utils.uuid7()))]
    user_id: str
    items: list[Item]
    currency: str
    total: Amount | None
    status: str = "confirmed"
    shipping_address: dict[str, str] | None
    note: str | None
    metadata: dict[str, Any] | None
    version: int = 1
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, wanted: OrderRequest) -> Self:
        """Return the new order that a client asked for."""
        items = [Item(**line.model_dump()) for line in wanted.items]
        now = datetime.now(UTC)
        # As precise as MongoDB keeps it, so that it reads the same ever after.
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        fields = wanted.model_dump(exclude={"items"})
        return cls(**fields, items=items, total=_total(items), created_at=now, updated_at=now)


def _total(items: Sequence[Item]) -> Decimal | None:
    prices = [item.unit_price for item in items]
    if any(price is None for price in prices):
        return None
    return sum((item.quantity * price for item, price in zip(items, prices, strict=True)), Decimal(0))
