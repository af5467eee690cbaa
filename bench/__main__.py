"""`python -m bench [PART…]`: the measurements, a table each; every part starts and stops a shop of its own.

`python -m bench fanout --help` and `python -m bench queue --help` tell the options of these parts.
"""

import sys

from bench import fanout, push, queue, reserve, soak

PARTS = {"push": push.main, "reserve": reserve.main, "fanout": fanout.main, "soak": soak.main, "queue": queue.main}


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["fanout"]:
        return fanout.main(words[1:])
    if words[:1] == ["queue"]:
        return queue.main(words[1:])
    unknown = [name for name in words if name not in PARTS]
    if unknown:
        sys.exit(f"There is no part {unknown[0]!r}: choose among {', '.join(PARTS)}.")
    for name in words or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
