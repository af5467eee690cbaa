"""Money: a decimal amount in the shop's one currency."""

from decimal import Decimal

from flask import Flask, current_app

SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}


def currency() -> str:
    """The currency of the current shop (ISO 4217)."""
    return current_app.extensions["settings"].currency


def as_amount(amount: Decimal) -> dict[str, str]:
    """An amount for JSON: {"amount": "50.00", "currency": "EUR"}."""
    return {"amount": f"{amount:.2f}", "currency": currency()}


def as_text(amount: Decimal) -> str:
    """An amount for people: €1,234.50."""
    code = currency()
    return f"{SYMBOLS.get(code, code + ' ')}{amount:,.2f}"


def init_app(app: Flask) -> None:
    app.add_template_filter(as_text, "money")
