"""What the rules draw."""

from hypothesis import strategies as st

HOLD_SECONDS = (180, 120, 120)  # how long the holds of each process last
DAWDLER = 2  # the number of the third process, see stage.py

SKUS = st.sampled_from(["MUG", "CAP"])
SHOPPERS = st.sampled_from(["ann", "bob", "cem"])
UNITS = st.sampled_from([1, 1, 2, 3, 3])
SEEN = st.sampled_from([None, None, 0, 1])
PROCESS = st.sampled_from([0, 1])
TELLER = st.sampled_from([0, 1, DAWDLER])  # who tells Redis what SQL has decided
PICK = st.integers(0, 1_000)
ENDED = ("", "sold", "released", "expired", "withdrawn")  # states of claims, see model.py
