"""README and docs in step with the code."""

import re

import pytest

from api import create_app
from api.problems import _BY_STATUS
from settings import Settings
from tests.processes import REPOSITORY

DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *(REPOSITORY / "docs").glob("*.md")]


def text(name: str) -> str:
    return (REPOSITORY / name).read_text()


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_in_the_readme(name: str) -> None:
    default = Settings.model_fields[name].default

    row = next((line for line in text("README.md").splitlines() if line.startswith(f"| `{name.upper()}`")), None)

    assert row is not None
    if isinstance(default, (int, float)) and not isinstance(default, bool):
        assert f"`{default:g}`" in row


@pytest.mark.parametrize("document", ["README.md", "docs/http.md"])
def test_every_route_is_documented(document: str) -> None:
    for rule in create_app().url_map.iter_rules():
        path = re.sub(r"<id:(\w+)_id>", r"<\1Id>", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert f"{method} {path}" in text(document)


def test_every_type_of_problem_is_documented() -> None:
    sources = "".join(path.read_text() for path in [*REPOSITORY.glob("api/*.py"), REPOSITORY / "models/rejections.py"])
    kinds = set(re.findall(r'(?:APIProblem|_problem)\(\s*"([a-z-]+)"', sources))
    kinds |= {kind for kind, _ in _BY_STATUS.values()}

    assert kinds
    for kind in kinds:
        assert f"| `{kind}` |" in text("docs/http.md")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: object) -> None:
    page = REPOSITORY / str(document)
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_make_targets_named_in_the_readme_exist() -> None:
    makefile = text("Makefile")
    for target in re.findall(r"make ([a-z]+)", text("README.md")):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
