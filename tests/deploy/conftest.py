"""The image's files, laid out once; each container here runs on them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.deploy import image
from tests.deploy.container import Container


@pytest.fixture(scope="session")
def app_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image.lay_out(tmp_path_factory.mktemp("image") / "app")


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image.install(tmp_path_factory.mktemp("packages") / "venv")


@pytest.fixture(scope="module")
def container(
    app_folder: Path, packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Container]]:
    """Return how to have a container with these environment variables; all are removed with the module."""
    made: list[Container] = []

    def make(**variables: str) -> Container:
        made.append(Container(app_folder, packages, tmp_path_factory.mktemp("container") / "tmp", variables))
        return made[-1]

    yield make
    with ThreadPoolExecutor() as pool:
        list(pool.map(Container.remove, made))
