"""The stock scripts, by the name of the function that calls each."""

from pathlib import Path

from storefront.core.lua import Script

_FOLDER = Path(__file__).parent
_PRELUDE = (_FOLDER / "prelude.lua").read_text()


def _script(name: str) -> Script:
    return Script(_FOLDER / f"{name}.lua", _PRELUDE)


reserve = _script("reserve")
settle = _script("settle")
extend = _script("extend")
apply_movement = _script("apply_movement")
introduce = _script("introduce")
read_level = _script("read_level")

ALL = (reserve, settle, extend, apply_movement, introduce, read_level)
