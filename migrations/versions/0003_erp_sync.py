"""the ERP sync: batches, the link, snapshots; events; which units the ERP has deducted

Revision ID: 0003
Revises: 0002

"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade():
    op.create_table(
        "erp_batches",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("adapter", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("parent_id", sa.String(length=36), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('frozen', 'unknown', 'accepted', 'done', 'split')", name=op.f("ck_erp_batches_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erp_batches")),
        sa.UniqueConstraint("adapter", "sequence", name=op.f("uq_erp_batches_adapter")),
    )
    op.create_index("ix_erp_batches_state", "erp_batches", ["state"], unique=False)
    op.create_table(
        "erp_links",
        sa.Column("adapter", sa.String(length=32), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(length=100), nullable=False),
        sa.Column("held_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("alarm", sa.Text(), nullable=False),
        sa.Column("answered_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("read_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("adapter", name=op.f("pk_erp_links")),
    )
    op.create_table(
        "erp_snapshots",
        sa.Column("id", BigId, nullable=False),
        sa.Column("adapter", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("as_of_ms", sa.BigInteger(), nullable=False),
        sa.Column("taken_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("figures", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("unknown", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erp_snapshots")),
        sa.UniqueConstraint("adapter", "sequence", name=op.f("uq_erp_snapshots_adapter")),
    )
    op.create_table(
        "erp_problems",
        sa.Column("id", BigId, nullable=False),
        sa.Column("adapter", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("column", sa.String(length=64), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_by", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erp_problems")),
    )
    _widen_buffer()
    _mark_deducted()


def _widen_buffer():
    with op.batch_alter_table("erp_buffer", schema=None) as batch_op:
        batch_op.add_column(sa.Column("channel", sa.String(length=16), server_default="erp", nullable=False))
        batch_op.add_column(sa.Column("payload", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("due_at_ms", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("batch_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("tries", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("outcome", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("words", sa.Text(), server_default=sa.text("''"), nullable=False))
        batch_op.add_column(sa.Column("erp_id", sa.String(length=100), server_default=sa.text("''"), nullable=False))
        batch_op.add_column(sa.Column("applied_at_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("edits", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("edited_by", sa.String(length=100), server_default=sa.text("''"), nullable=False))
        batch_op.alter_column("order_id", existing_type=BigId, nullable=True)
        batch_op.create_check_constraint(
            batch_op.f("ck_erp_buffer_state"),
            "state IN ('waiting', 'batched', 'accepted', 'applied', 'dead', 'withdrawn')",
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_erp_buffer_batch_id_erp_batches"), "erp_batches", ["batch_id"], ["id"]
        )
        batch_op.drop_index("ix_erp_buffer_state")
        batch_op.create_index("ix_erp_buffer_batch_id", ["batch_id"], unique=False)
        batch_op.create_index("ix_erp_buffer_channel_state_due_at_ms", ["channel", "state", "due_at_ms"], unique=False)


def _mark_deducted():
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_orders_status"), type_="check")
        batch_op.create_check_constraint(batch_op.f("ck_orders_status"), "status IN ('placed', 'cancelled', 'shipped')")
    with op.batch_alter_table("order_lines", schema=None) as batch_op:
        batch_op.add_column(sa.Column("deducted", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(
        "ix_order_lines_undeducted", "order_lines", ["sku"], unique=False,
        postgresql_where=sa.text("NOT deducted"), sqlite_where=sa.text("NOT deducted"),
    )  # fmt: skip


def downgrade():
    raise NotImplementedError("Migrations go forward only: see docs/decisions/0007-migrations-go-forward.md.")
