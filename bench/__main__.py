"""`python -m bench [PART…]`: the measurements, a table each; every part starts and stops a shop of its own.

`python -m bench fanout --help` tells the options of that part.
"""

import sys

from bench import fanout, push, reserve, soak

PARTS = {"push": push.main, "reserve": reserve.main, "fanout": fanout.main, "soak": soak.main}


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["fanout"]:
        return fanout.main(words[1:])
    unknown = [name for name in words if name not in PARTS]
    if unknown:
        sys.exit(f"There is no part {unknown[0]!r}: choose among {', '.join(PARTS)}.")
    for name in words or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
