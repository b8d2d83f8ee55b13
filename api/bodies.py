"""What a request's body may be: checked whole, and normalised to one form before it is accepted.

One product may be given flat (`{userId, productId, quantity}`); inside, an order always has a list of items.
"""

from decimal import Decimal
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from api.problems import invalid
from models import money
from models.ids import ID_PATTERN, RESERVED_USER_IDS
from models.order import Status

MAX_ITEMS = 100
MAX_QUANTITY = 10_000
MAX_NOTE_CHARACTERS = 2_000
MAX_METADATA_BYTES = 16 * 1024
MAX_METADATA_DEPTH = 32
MAX_ADDRESS_BYTES = 4 * 1024
MAX_INTEGER = 2**63 - 1
"""Larger integers do not fit into BSON."""


def _not_reserved(user_id: str) -> str:
    if user_id in RESERVED_USER_IDS:
        raise ValueError(f"must not be one of {', '.join(sorted(RESERVED_USER_IDS))}")
    return user_id


def _whole_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise ValueError("must be an integer")  # noqa: TRY004 - pydantic reports ValueErrors alone
    # Bounded before it is converted: 1e999999 is short as text only.
    if not -MAX_INTEGER <= value <= MAX_INTEGER or value != int(value):
        raise ValueError("must be an integer")
    return int(value)


def _price(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ValueError("must be a number or a string holding one")  # noqa: TRY004
    return str(money.parse(value))


def _small_address(value: dict[str, str]) -> dict[str, str]:
    return _storable(value, MAX_ADDRESS_BYTES)


def _small_metadata(value: dict[str, Any]) -> dict[str, Any]:
    return _storable(value, MAX_METADATA_BYTES)


def _storable(value: dict[str, Any], max_bytes: int) -> dict[str, Any]:
    plain: dict[str, Any] = _plain(value, 1)
    if len(orjson.dumps(plain)) > max_bytes:
        raise ValueError(f"must be at most {max_bytes} bytes of JSON")
    return plain


def _plain(value: Any, depth: int) -> Any:
    """Return the value with floats for decimals, checked for what MongoDB can't hold."""
    if isinstance(value, (dict, list)) and depth > MAX_METADATA_DEPTH:
        raise ValueError(f"must be nested at most {MAX_METADATA_DEPTH} deep")
    if isinstance(value, dict):
        if "\0" in "".join(value):
            raise ValueError("must not have a NUL character in a name")
        if isinstance(value.get("$ref"), str) and "$id" in value:
            # MongoDB's drivers read this back as a reference of theirs, whatever the customer meant by it.
            raise ValueError("must not have both $ref and $id in one object")
        return {key: _plain(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part, depth + 1) for part in value]
    if isinstance(value, Decimal):
        number = float(value)
        if number in (float("inf"), float("-inf")):
            raise ValueError("must not have a number beyond the range of a double")
        return number
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_INTEGER:
        raise ValueError("must not have an integer of more than 64 bits")
    return value


Id = Annotated[str, Field(pattern=f"^{ID_PATTERN}$", max_length=64)]
UserId = Annotated[
    Id, AfterValidator(_not_reserved), Field(json_schema_extra={"not": {"enum": sorted(RESERVED_USER_IDS)}})
]
# The bounds stand first: behind the validator the description would not show them.
Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY), BeforeValidator(_whole_number)]
Price = Annotated[
    str,
    BeforeValidator(_price),
    Field(
        json_schema_extra={
            "type": ["string", "number"],
            "description": "at least 0, below 10^9, at most 4 decimals",
            "examples": ["19.99", 5],
        }
    ),
]
Note = Annotated[str, Field(max_length=MAX_NOTE_CHARACTERS)]
Address = Annotated[dict[str, str], AfterValidator(_small_address), Field(description="at most 4 KiB of JSON")]
Metadata = Annotated[
    dict[str, Any], AfterValidator(_small_metadata), Field(description="at most 16 KiB of JSON, 32 levels deep")
]


class Body(BaseModel):
    """A body: nothing is converted silently, nothing unknown is dropped."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Line(Body):
    """One product and how many of it."""

    productId: Id  # noqa: N815
    quantity: Quantity
    unitPrice: Price | None = None  # noqa: N815


def _merged(lines: list[Line]) -> list[Line]:
    """Return one line per product, in the order of their first mention."""
    merged: dict[str, Line] = {}
    for line in lines:
        first = merged.get(line.productId)
        if first is None:
            merged[line.productId] = line
            continue
        if _amount(first) != _amount(line):
            raise ValueError(f"must not give product {line.productId} two prices")
        first.quantity += line.quantity
        if first.quantity > MAX_QUANTITY:
            raise ValueError(f"must have at most {MAX_QUANTITY} units of product {line.productId}")
    return list(merged.values())


def _amount(line: Line) -> Decimal | None:
    return None if line.unitPrice is None else Decimal(line.unitPrice)


Lines = Annotated[list[Line], Field(min_length=1, max_length=MAX_ITEMS), AfterValidator(_merged)]


class _Details(Body):
    shippingAddress: Address | None = None  # noqa: N815
    note: Note | None = None
    metadata: Metadata | None = None


class _NewDetails(_Details):
    userId: UserId  # noqa: N815
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None


class CreateOrder(_NewDetails):
    """A new order."""

    items: Lines


class CreateOrderFlat(_NewDetails, Line):
    """A new order of one product."""


def _absent_stays(schema: dict[str, Any]) -> None:
    """Keep the description from naming defaults: what an update leaves out is not set to anything."""
    for described in schema["properties"].values():
        described.pop("default", None)
    schema["minProperties"] = 1


class _Changes(_Details):
    model_config = ConfigDict(json_schema_extra=_absent_stays)

    status: Status = "confirmed"


class UpdateOrder(_Changes):
    """Changes to an order: what is absent stays, null clears what may be null."""

    items: Lines = []

    @model_validator(mode="after")
    def _something(self) -> "UpdateOrder":
        if not self.model_fields_set:
            raise ValueError("must change something")
        return self


class UpdateOrderFlat(_Changes, Line):
    """Changes to an order that is of one product from then on."""


def parse_create(body: dict[str, Any], currency: str) -> dict[str, Any]:
    """Return a create's body in its one form; `currency` is the one of an order that names none."""
    model = CreateOrderFlat if "items" not in body and "productId" in body else CreateOrder
    order = _flat_to_items(_validated(model, body).model_dump())
    order["currency"] = order["currency"] or currency
    return order


def parse_update(body: dict[str, Any]) -> dict[str, Any]:
    """Return an update's body in its one form: just the fields that it names."""
    flat = "items" not in body and not {"productId", "quantity", "unitPrice"}.isdisjoint(body)
    model = UpdateOrderFlat if flat else UpdateOrder
    return _flat_to_items(_validated(model, body).model_dump(exclude_unset=True))


def _flat_to_items(body: dict[str, Any]) -> dict[str, Any]:
    if "items" in body:
        for item in body["items"]:
            item.setdefault("unitPrice", None)
        return body
    if "productId" not in body:
        return body
    item = {
        "productId": body.pop("productId"),
        "quantity": body.pop("quantity"),
        "unitPrice": body.pop("unitPrice", None),
    }
    return {**body, "items": [item]}


def _validated(model: type[Body], body: dict[str, Any]) -> Body:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise invalid(
            [
                {"pointer": _pointer(found["loc"]), "detail": found["msg"].removeprefix("Value error, ")}
                for found in error.errors(include_url=False, include_input=False, include_context=False)
            ]
        ) from None


def _pointer(location: tuple[int | str, ...]) -> str:
    """Return a JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)
