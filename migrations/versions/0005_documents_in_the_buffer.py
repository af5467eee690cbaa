"""documents stand in the buffer as they are sent, and stay; what waits, and what is open, is found by an index

Revision ID: 0005
Revises: 0004

"""

import json
from decimal import Decimal

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

takes_away = ["erp_buffer.payload", "erp_batches.content"]  # both go to erp_documents

ADDRESS = ("email", "name", "line1", "line2", "city", "postal_code", "region", "country")
CENT = Decimal("0.01")
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

buffer = sa.table(
    "erp_buffer", *map(sa.column, ("id", "order_id", "version", "channel", "kind", "state", "created_at_ms")),
    sa.column("payload", sa.JSON), sa.column("edits", sa.JSON),
)  # fmt: skip
batches = sa.table("erp_batches", *map(sa.column, ("id", "kind", "content", "state")), sa.column("members", sa.JSON))
orders = sa.table("orders", *map(sa.column, ("id", "currency", "total", *ADDRESS)))
lines = sa.table(
    "order_lines",
    *map(sa.column, ("order_id", "line", "sku", "title", "variant_title", "quantity", "price", "tax")),
)


def upgrade():
    documents = op.create_table(
        "erp_documents",
        sa.Column("row_id", BigId, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["row_id"], ["erp_buffer.id"], name=op.f("fk_erp_documents_row_id_erp_buffer")),
        sa.PrimaryKeyConstraint("row_id", "revision", name=op.f("pk_erp_documents")),
    )
    with op.batch_alter_table("erp_batches") as table:
        table.add_column(sa.Column("members", sa.JSON(), server_default=sa.text("'[]'"), nullable=False))
    _write_documents(op.get_bind(), documents)
    with op.batch_alter_table("erp_batches") as table:
        table.drop_index("ix_erp_batches_state")
        table.create_index("ix_erp_batches_adapter_state_sequence", ["adapter", "state", "sequence"])
        table.alter_column("members", existing_type=sa.JSON(), server_default=None)
        table.drop_column("content")
    with op.batch_alter_table("erp_buffer") as table:
        table.drop_index("ix_erp_buffer_channel_state_due_at_ms")
        table.create_index("ix_erp_buffer_channel_state_id", ["channel", "state", "id"])
        table.add_column(sa.Column("revision", sa.Integer(), server_default="1", nullable=False))
        table.drop_column("payload")


def _write_documents(bind, documents):
    """Those of batches that may be sent again letter by letter; no others where their row is done with."""
    texts = {}
    for batch in bind.execute(sa.select(batches).where(batches.c.state.in_(("frozen", "unknown", "accepted")))).all():
        of_batch = {_row_id(bind, one): _text(one) for one in json.loads(batch.content)}
        texts |= of_batch
        members = [[row_id, 1] for row_id in of_batch]
        bind.execute(sa.update(batches).where(batches.c.id == batch.id).values(members=members))
    may_be_sent = buffer.c.order_id.is_(None) | buffer.c.state.not_in(("applied", "withdrawn"))
    for row in bind.execute(sa.select(buffer).where(may_be_sent)).all():
        texts.setdefault(row.id, _text(_event(row) if row.order_id is None else _order(bind, row)))
    if texts:
        bind.execute(
            sa.insert(documents), [{"row_id": row_id, "revision": 1, "text": text} for row_id, text in texts.items()]
        )


def _text(document):
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _row_id(bind, document):
    if "topic" in document:
        return int(document["key"].removeprefix("event-"))
    row = sa.select(buffer.c.id).where(buffer.c.order_id == document["order_id"], buffer.c.kind == document["kind"])
    return bind.execute(row).scalar_one()


def _event(row):
    return {"key": f"event-{row.id}", "topic": row.kind, "at_ms": row.created_at_ms, "data": row.payload or {}}


def _order(bind, row):
    order = bind.execute(sa.select(orders).where(orders.c.id == row.order_id)).one()
    its_lines = bind.execute(sa.select(lines).where(lines.c.order_id == row.order_id).order_by(lines.c.line)).all()
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
