"""Imports run one way, and only the edges of the shop know the web framework's request."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ORDER = ["live", "erp", "orders", "cart", "waiting_room", "stock", "catalog", "core"]  # left may import right
SEES_ALL = {"ops", "audit"}
MAY_USE_REQUEST = {"routes.py", "events.py", "stream.py", "poll.py"}
MAY_USE_REQUEST_TOO = {"core/errors.py", "core/repeatable.py", "core/security.py", "core/shopper.py"}

FILES = [path for folder in ("storefront", "workers") for path in sorted((ROOT / folder).rglob("*.py"))]


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) for each import anywhere in the file; name is empty for `import module`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from ((node.module or "", alias.name) for alias in node.names)


def folder_of(path: Path) -> str:
    """The folder under storefront/ that owns the file; empty for storefront/__init__.py and the workers."""
    parts = path.relative_to(ROOT).parts
    return parts[1] if parts[0] == "storefront" and len(parts) > 2 else ""


def imported_folders(path: Path) -> set[str]:
    dotted = (f"{module}.{name}" for module, name in imports_of(path))
    return {words[1] for words in (one.split(".") for one in dotted) if words[0] == "storefront" and words[1]}


@pytest.mark.parametrize(
    "path", [path for path in FILES if folder_of(path)], ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_folder_imports_only_what_stands_right_of_it(path: Path) -> None:
    folder = folder_of(path)
    if folder not in SEES_ALL:
        assert folder in ORDER, f"{folder} has no place in the order"
        assert imported_folders(path) <= set(ORDER[ORDER.index(folder) :])


def test_stock_and_waiting_room_know_nothing_of_flask() -> None:
    for path in FILES:
        if folder_of(path) in ("stock", "waiting_room") and path.name != "routes.py":
            assert not [module for module, _ in imports_of(path) if module.split(".")[0].startswith("flask")], path


def test_only_the_edges_touch_request_and_session() -> None:
    for path in FILES:
        inside = "/".join(path.relative_to(ROOT).parts[1:])
        if folder_of(path) != "ops" and path.name not in MAY_USE_REQUEST and inside not in MAY_USE_REQUEST_TOO:
            assert not {("flask", "request"), ("flask", "session")} & set(imports_of(path)), path


def test_nothing_names_eventlet() -> None:
    for path in FILES:
        assert "eventlet" not in {module.split(".")[0] for module, _ in imports_of(path)}, path
