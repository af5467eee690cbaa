"""Every Redis key and channel of the waiting room, made in one place. The keys of a sale share a hash slot."""

CHANNEL = "sales"  # {"sale","state","message"} · {"sale","admitted":{shopper: pass ends at ms}} · {"sale","ended":[…]}


def head(slug: str) -> str:
    """Hash: what the scripts need to know of the sale (see sales.py), and the counters of the queue."""
    return f"sale:{{{slug}}}:head"


def line(slug: str) -> str:
    """Sorted set: shopper by place (see `score_of` in prelude.lua); who is admitted or leaves is not in it."""
    return f"sale:{{{slug}}}:line"


def admitted(slug: str) -> str:
    """Hash: shopper -> "state|epoch|number|score|admitted at ms|expires at ms|extensions"."""
    return f"sale:{{{slug}}}:admitted"


def active(slug: str) -> str:
    """Sorted set: admitted shopper by when his slot falls free: end of the grace time, later of the pass (ms)."""
    return f"sale:{{{slug}}}:active"


def news(slug: str) -> str:
    """Stream: what became of admissions, until it is in SQL."""
    return f"sale:{{{slug}}}:news"


def flow(slug: str) -> str:
    """Hash: "<5 s of time>:in" and ":out" -> how many were admitted, and left, in these seconds."""
    return f"sale:{{{slug}}}:flow"


def emails(slug: str) -> str:
    """Hash: digest of an e-mail address -> shopper; only where a sale takes one person per address."""
    return f"sale:{{{slug}}}:emails"


def arrivals(slug: str) -> str:
    """Sorted set: time in ms by the last ordinal given by then, of the queue's present epoch."""
    return f"sale:{{{slug}}}:arrivals"


def turn(slug: str, shopper: str) -> str:
    """String: held while a shopper reserves in a sale of several SKUs, so that he does so one at a time."""
    return f"sale:{{{slug}}}:turn:{shopper}"
