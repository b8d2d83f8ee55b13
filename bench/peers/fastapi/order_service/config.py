"""Where the servers are: four of the five variables of the contract; the fifth, PORT, is uvicorn's."""

from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    """The settings; the names are the environment variables in lower case."""

    mongo_uri: str = "mongodb://127.0.0.1:27017/orders"
    redis_host: str = "127.0.0.1"
    redis_port: int = 6379
    kafka_broker: str = "127.0.0.1:9092"
