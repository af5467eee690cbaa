"""Logging: one line per record on stderr, where process managers and platforms collect it."""

import logging
import sys

FORMAT = "%(levelname)s %(name)s: %(message)s"  # no time: whoever collects the lines writes it


def start_logging(level: int = logging.INFO) -> None:
    """Send records of `level` and above to stderr; libraries that tell every step are heard from WARNING on."""
    logging.basicConfig(stream=sys.stderr, level=level, format=FORMAT, force=True)
    for chatty in ("alembic", "engineio", "rq", "socketio", "werkzeug"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
