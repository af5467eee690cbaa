"""Tryton keeps the contract."""

from tests.erp.contract.suite import Contract


class TestContract(Contract):
    """On the house of this folder."""
