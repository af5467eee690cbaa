"""`python -m bench [PART…]`: the measurements, a table each; every part starts and stops a shop of its own.

`python -m bench fanout --help` and `python -m bench queue --help` tell the options of these parts;
`erp --quick` takes a minute or two.
"""

import sys

from bench import erp, fanout, push, queue, reserve, soak

PARTS = {
    "push": push.main,
    "reserve": reserve.main,
    "fanout": fanout.main,
    "soak": soak.main,
    "queue": queue.main,
    "erp": erp.main,
}
WITH_OPTIONS = {"fanout": fanout.main, "queue": queue.main, "erp": erp.main}


def main() -> None:
    words = sys.argv[1:]
    if words and words[0] in WITH_OPTIONS:
        return WITH_OPTIONS[words[0]](words[1:])
    unknown = [name for name in words if name not in PARTS]
    if unknown:
        sys.exit(f"There is no part {unknown[0]!r}: choose among {', '.join(PARTS)}.")
    for name in words or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
