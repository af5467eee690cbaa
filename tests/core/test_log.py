"""What stands in the log: of an outage a line, of a bug its traceback."""

import logging
from collections.abc import Iterator

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy.exc import OperationalError

from storefront.core.log import start_logging
from storefront.stock.outcomes import StockChecking


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


def logged(error: Exception, capsys: pytest.CaptureFixture[str]) -> str:
    start_logging()
    try:
        raise error
    except Exception:
        logging.getLogger("shop").exception("it did not work")
    return capsys.readouterr().err


@pytest.mark.parametrize("error, line", [
    (RedisConnectionError("refused"), "ERROR shop: it did not work: ConnectionError: refused\n"),
    (StockChecking("closed"), "ERROR shop: it did not work: StockChecking: closed\n"),
    (OperationalError("INSERT …", {"email": "ann@example.org"}, RuntimeError("locked")),
     "ERROR shop: it did not work: OperationalError: (builtins.RuntimeError) locked\n"),
])  # fmt: skip
def test_an_outage_is_a_line_that_tells_no_data(
    error: Exception, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert logged(error, capsys) == line


def test_a_bug_has_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Traceback" in logged(KeyError("sku"), capsys)
