"""the document of an order stands in its row of the buffer, as it is sent

Revision ID: 0005
Revises: 0004

"""

from decimal import Decimal

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

takes_away = ["erp_buffer.payload"]  # it was empty for orders

ADDRESS = ("email", "name", "line1", "line2", "city", "postal_code", "region", "country")
CENT = Decimal("0.01")

buffer = sa.table(
    "erp_buffer", *map(sa.column, ("id", "order_id", "version", "kind", "state", "created_at_ms")),
    sa.column("payload", sa.JSON), sa.column("edits", sa.JSON),
)  # fmt: skip
orders = sa.table("orders", *map(sa.column, ("id", "currency", "total", *ADDRESS)))
lines = sa.table(
    "order_lines",
    *map(sa.column, ("order_id", "line", "sku", "title", "variant_title", "quantity", "price", "tax")),
)


def upgrade():
    bind = op.get_bind()
    may_be_sent = buffer.c.order_id.is_not(None) & buffer.c.state.not_in(("applied", "withdrawn"))
    for row in bind.execute(sa.select(buffer).where(may_be_sent)).all():
        order = bind.execute(sa.select(orders).where(orders.c.id == row.order_id)).one()
        its_lines = bind.execute(sa.select(lines).where(lines.c.order_id == row.order_id).order_by(lines.c.line)).all()
        told = _document(row, order, its_lines)
        bind.execute(sa.update(buffer).where(buffer.c.id == row.id).values(payload=told))


def _document(row, order, its_lines):
    return {
        "key": f"order-{order.id}-{row.version}",
        "kind": row.kind,
        "order_id": order.id,
        "number": str(1000 + order.id),
        "at_ms": row.created_at_ms,
        **{name: getattr(order, name) for name in ADDRESS},
        "currency": order.currency,
        "total": _amount(order.total),
        "lines": [_line(one) for one in its_lines],
        **(row.edits or {}),
    }


def _line(one):
    return {
        "line": one.line,
        "sku": one.sku,
        "title": f"{one.title}, {one.variant_title}" if one.variant_title else one.title,
        "quantity": one.quantity,
        "unit_price": _amount(one.price),
        "tax": _amount(one.tax),
    }


def _amount(found):
    """As text with two digits; SQLite gives a float, or an int."""
    return str(Decimal(str(found)).quantize(CENT))


def downgrade():
    raise NotImplementedError("Migrations go forward only: see docs/decisions/0007-migrations-go-forward.md.")
