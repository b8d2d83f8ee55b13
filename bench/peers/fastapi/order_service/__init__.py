"""The order service on FastAPI, asyncio from end to end."""
