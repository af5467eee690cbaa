"""The forms of the pages about the ERP."""

from flask_wtf import FlaskForm
from wtforms import DateField, Form, StringField
from wtforms.validators import DataRequired, Length, Optional

from storefront.erp.documents import EDITABLE, Document

OPTIONAL = ("line2", "region")


class ButtonForm(FlaskForm):
    """A button: nothing but its CSRF token."""


def _text(label: str, most: int, needed: bool = True) -> StringField:
    rules = [Length(max=most, message=f"At most {most} characters.")]
    return StringField(label, [DataRequired("Give one."), *rules] if needed else rules)


class LetterForm(FlaskForm):
    """What the ERP is told of the shopper instead; the order itself stays as it is. Its fields are EDITABLE."""

    email = _text("E-mail", 254)
    name = _text("Name", 200)
    line1 = _text("Street and number", 200)
    line2 = _text("Further line", 200, needed=False)
    city = _text("City", 100)
    postal_code = _text("Postal code", 20)
    region = _text("Region", 100, needed=False)
    country = StringField("Country, two letters", [Length(2, 2, "Give two letters, such as DE.")])

    @classmethod
    def of(cls, document: Document) -> "LetterForm":
        return cls(formdata=None, **{name: getattr(document, name) for name in EDITABLE})

    def edits(self, document: Document) -> dict[str, str]:
        """The fields that were changed."""
        given = {name: (self[name].data or "").strip() for name in EDITABLE}
        return {name: text for name, text in given.items() if text != getattr(document, name)}


class DaysForm(Form):
    """Which days a reconciliation is about, in the address of the page; it changes nothing."""

    first = DateField("From", [Optional()], name="from")
    last = DateField("To", [Optional()], name="to")
