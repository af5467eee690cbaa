"""The scripts of the waiting room, by the name of the function that calls each.

Unlike those of the stock they are loaded when they are missed: that the queue is whole is known by
the run id of the server on which it was built, which each of them compares.
"""

from pathlib import Path

from storefront.core.lua import Script

_FOLDER = Path(__file__).parent
_PRELUDE = (_FOLDER / "prelude.lua").read_text()


def _script(name: str) -> Script:
    return Script(_FOLDER / f"{name}.lua", _PRELUDE)


join = _script("join")
look = _script("look")
leave = _script("leave")
move = _script("move")
admit = _script("admit")
arrive = _script("arrive")
extend_pass = _script("extend_pass")
finish = _script("finish")
describe = _script("describe")
bring_back = _script("bring_back")
