"""The words of the pages: those of the scripts, case by case."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from storefront.waiting_room.pages import wording

TABLE = json.loads((Path(__file__).parents[1] / "js" / "sale_words.json").read_text())
CASES = [(name, *case) for name, cases in TABLE.items() for case in cases]


@pytest.mark.parametrize(("name", "given", "expected"), CASES)
def test_the_server_says_what_the_scripts_say(name: str, given: list[Any], expected: str) -> None:
    function = getattr(wording, re.sub(r"[A-Z]", lambda capital: f"_{capital[0].lower()}", name))

    assert function(*given) == expected
