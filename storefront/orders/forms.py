"""What a guest tells at checkout, validated once for page and API."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import Form, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Email, Length

from storefront.core.errors import InvalidInput
from storefront.orders.countries import COUNTRIES


def _text(label: str, longest: int, *, required: bool = True) -> StringField:
    checks: list[Any] = [DataRequired(f"Please fill in: {label.lower()}.")] if required else []
    checks.append(Length(max=longest, message=f"At most {longest} characters."))
    return StringField(label, checks, filters=[lambda text: text.strip() if text else ""])


class _Fields(Form):
    email = StringField(
        "E-mail", [DataRequired("Please fill in: e-mail."), Length(max=254), Email("This is not an e-mail address.")]
    )
    name = _text("Name", 200)
    line1 = _text("Street and number", 200)
    line2 = _text("Addition", 200, required=False)
    city = _text("City", 100)
    postal_code = _text("Postal code", 20)
    region = _text("Region", 100, required=False)
    country = SelectField(
        "Country",
        [DataRequired("Please choose a country.")],
        choices=[SelectChoice("", "Please choose"), *(SelectChoice(code, name) for code, name in COUNTRIES)],
    )


class CheckoutForm(FlaskForm, _Fields):
    """The checkout page's form, with its CSRF token."""


@dataclass(frozen=True)
class Details:
    """Who orders, and where it goes."""

    email: str
    name: str
    line1: str
    line2: str
    city: str
    postal_code: str
    region: str
    country: str


def details_of(form: Form) -> Details:
    """The details in a form that has been validated."""
    return Details(**{name: form[name].data or "" for name in Details.__dataclass_fields__})


def details_from_json(body: dict[str, Any]) -> Details:
    """The details in the body of an API order. Raises InvalidInput that names each wrong member."""
    address = body.get("address")
    if not isinstance(address, dict):
        raise InvalidInput("`address` must be an object.", errors={"address": ["Give an object."]})
    fields = {"email": body.get("email"), "name": body.get("name"), **address}
    errors = {name: ["Give a text."] for name, value in fields.items() if not isinstance(value, str | None)}
    form = _Fields(MultiDict({name: value for name, value in fields.items() if isinstance(value, str)}))
    if errors or not form.validate():
        raise InvalidInput("Some members are not valid.", errors={**form.errors, **errors})
    return details_of(form)


def amount_from_json(raw: Any, currency: str) -> Decimal:
    """The amount of an `expected_total`. Raises InvalidInput unless it is {"amount","currency"} in our currency."""
    try:
        if raw["currency"] != currency:
            raise InvalidInput(f"`expected_total.currency` must be {currency}.")
        amount = Decimal(str(raw["amount"]))
        if not amount.is_finite():
            raise ValueError(raw)
    except (TypeError, KeyError, InvalidOperation, ValueError) as error:
        raise InvalidInput('`expected_total` must be {"amount": "12.50", "currency": "…"}.') from error
    return amount
