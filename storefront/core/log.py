"""Logging: one line per record on stderr, where process managers and platforms collect it."""

import logging
import sys

from storefront.core.errors import in_a_line, is_outage

FORMAT = "%(levelname)s %(name)s: %(message)s"  # no time: whoever collects the lines writes it


class _Formatter(logging.Formatter):
    """A traceback only of what is ours to mend: while Redis or the database is away, there would be thousands."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not is_outage(error):
            return super().format(record)
        plain = logging.makeLogRecord({**vars(record), "exc_info": None, "exc_text": None})
        return f"{super().format(plain)}: {in_a_line(error)}"


def start_logging(level: int = logging.INFO) -> None:
    """Send records of `level` and above to stderr; libraries that tell every step are heard from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(FORMAT))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for chatty in ("alembic", "engineio", "rq", "socketio", "werkzeug"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
