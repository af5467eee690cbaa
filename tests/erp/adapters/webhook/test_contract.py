"""The webhook keeps the contract."""

from typing import Any

from tests.erp.contract.suite import Contract

CORRUPTION = "UPDATE lines SET quantity = quantity + 1 WHERE order_id = ? AND line = ?"


class TestContract(Contract):
    """On the house of this folder."""

    def corrupt(self, house: Any, order_id: int, line: int) -> None:
        house.receiver.book._do(CORRUPTION, order_id, line)
