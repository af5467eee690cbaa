"""`python -m bench [PART…]`: the measurements, a table each; every part starts and stops a shop of its own."""

import sys

from bench import push, reserve

PARTS = {"push": push.main, "reserve": reserve.main}


def main() -> None:
    unknown = [name for name in sys.argv[1:] if name not in PARTS]
    if unknown:
        sys.exit(f"There is no part {unknown[0]!r}: choose among {', '.join(PARTS)}.")
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
