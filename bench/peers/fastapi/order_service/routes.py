"""The HTTP API."""

import logging
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from order_service.problems import ProblemError
from order_service.schemas import Listing, Order, OrderRequest
from order_service.shop import Shop

logger = logging.getLogger(__name__)
router = APIRouter()


async def _shop(request: Request) -> Shop:
    shop: Shop = request.state.shop
    return shop


async def _json_body(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(415, "unsupported-media-type", "The body has to be application/json")


OpenShop = Annotated[Shop, Depends(_shop)]


@router.post("/order/create", status_code=201, dependencies=[Depends(_json_body)])
async def create_order(wanted: OrderRequest, shop: OpenShop, response: Response) -> Order:
    """Check the customer, take the stock, store the order, tell of it."""
    customer = await shop.customers.find(wanted.user_id)
    if not customer.wants_notifications:
        raise ProblemError(409, "notifications-off", "The customer wants no notifications")
    await shop.stock.take(wanted.items)
    order = Order.of(wanted)
    try:
        await shop.orders.add(order)
    except Exception:
        await shop.stock.give_back(wanted.items)
        raise
    await shop.events.order_created(order, customer.email)
    response.headers["Location"] = f"/orders/{order.order_id}"
    return order


@router.get("/order/all", response_model=list[Order])
async def list_all(listing: Annotated[Listing, Query()], shop: OpenShop) -> list[Order] | StreamingResponse:
    """Show all orders, newest first, or the newest `limit` of them."""
    if listing.limit is not None:
        return await shop.orders.newest(listing.limit)
    # Without a limit there may be millions.
    return StreamingResponse(_json_array(shop.orders.each()), media_type="application/json")


async def _json_array(orders: AsyncIterator[Order]) -> AsyncIterator[str]:
    separator = "["
    async for order in orders:
        yield separator + order.model_dump_json(by_alias=True)
        separator = ","
    yield "[]" if separator == "[" else "]"


@router.get("/order/{user_id}")
async def list_of_user(user_id: str, shop: OpenShop, behind: BackgroundTasks) -> list[Order]:
    """Show one customer's orders, newest first, and tell the shop of them behind the answer."""
    orders = await shop.orders.of_user(user_id)
    behind.add_task(_publish, shop, user_id, orders)
    return orders


async def _publish(shop: Shop, user_id: str, orders: Sequence[Order]) -> None:
    customer = await shop.customers.find(user_id)
    await shop.events.user_orders(user_id, customer.email, orders, "request")


@router.get("/orders/{order_id}")
async def show_order(order_id: str, shop: OpenShop, response: Response) -> Order:
    """Show one order."""
    order = await shop.orders.find(order_id)
    if order is None:
        raise HTTPException(404)
    response.headers["ETag"] = f'"{order.version}"'
    return order


@router.get("/livez")
async def show_liveness() -> dict[str, bool]:
    """Tell that the process answers."""
    return {"alive": True}


@router.get("/readyz")
async def show_readiness(shop: OpenShop, response: Response) -> dict[str, bool]:
    """Tell whether MongoDB and Redis answer."""
    try:
        await shop.mongo.admin.command("ping")
        await shop.redis.ping()
    except (PyMongoError, RedisError):
        logger.exception("not ready")
        response.status_code = 503
    return {"ready": response.status_code != 503}
