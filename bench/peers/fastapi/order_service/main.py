"""Puts the application together: `uvicorn order_service.main:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI

from order_service import problems
from order_service.config import Settings
from order_service.consumer import consuming
from order_service.routes import router
from order_service.shop import Shop, open_shop


class State(TypedDict):
    """What a request finds in `request.state`."""

    shop: Shop


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[State]:
    """Open the connections before the first request and consume beside them all, in each process of its own."""
    settings = Settings()
    async with open_shop(settings) as shop, consuming(shop, settings.kafka_broker):
        yield {"shop": shop}


app = FastAPI(title="Order Service", lifespan=lifespan, max_body_size=256 * 1024)
problems.register(app)
app.include_router(router)
