"""sales and their waiting room

Revision ID: 0002
Revises: 0001

"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STATES = "('announced', 'lobby', 'open', 'paused', 'draining', 'sold_out', 'closed')"


def upgrade():
    op.add_column("stock_levels", sa.Column("sale", sa.String(length=64), nullable=True))
    op.create_table(
        "sales",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("opens_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("lobby_seconds", sa.Integer(), nullable=False),
        sa.Column("shuffle", sa.Boolean(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=False),
        sa.Column("active_most", sa.Integer(), nullable=False),
        sa.Column("pass_seconds", sa.Integer(), nullable=False),
        sa.Column("grace_seconds", sa.Integer(), nullable=False),
        sa.Column("limit_units", sa.Integer(), nullable=False),
        sa.Column("one_per_email", sa.Boolean(), nullable=False),
        sa.Column("seed", sa.String(length=64), nullable=False),
        sa.Column("message", sa.String(length=500), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("opened_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("sold_out_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("closed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("joined", sa.Integer(), nullable=False),
        sa.CheckConstraint(f"state IN {STATES}", name=op.f("ck_sales_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sales")),
        sa.UniqueConstraint("slug", name=op.f("uq_sales_slug")),
    )
    op.create_table(
        "sale_skus",
        sa.Column("sale_id", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["sale_id"], ["sales.id"], name=op.f("fk_sale_skus_sale_id_sales")),
        sa.PrimaryKeyConstraint("sale_id", "sku", name=op.f("pk_sale_skus")),
    )
    op.create_table(
        "sale_changes",
        sa.Column("id", BigId, nullable=False),
        sa.Column("sale_id", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("what", sa.String(length=1000), nullable=False),
        sa.ForeignKeyConstraint(["sale_id"], ["sales.id"], name=op.f("fk_sale_changes_sale_id_sales")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sale_changes")),
    )
    op.create_index("ix_sale_changes_sale_id", "sale_changes", ["sale_id"], unique=False)
    op.create_table(
        "admissions",
        sa.Column("sale_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("shopper", sa.String(length=64), nullable=False),
        sa.Column("score", sa.BigInteger(), nullable=False),
        sa.Column("joined_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("admitted_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("extensions", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["sale_id"], ["sales.id"], name=op.f("fk_admissions_sale_id_sales")),
        sa.PrimaryKeyConstraint("sale_id", "epoch", "number", name=op.f("pk_admissions")),
    )
    op.create_index("ix_admissions_sale_id_shopper", "admissions", ["sale_id", "shopper"], unique=False)
    op.create_table(
        "waiting_list",
        sa.Column("id", BigId, nullable=False),
        sa.Column("sale_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("told_at_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["sale_id"], ["sales.id"], name=op.f("fk_waiting_list_sale_id_sales")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting_list")),
        sa.UniqueConstraint("sale_id", "email", name=op.f("uq_waiting_list_sale_id")),
        sa.UniqueConstraint("token", name=op.f("uq_waiting_list_token")),
    )
    op.create_index("ix_waiting_list_email", "waiting_list", ["email"], unique=False)
    op.create_table(
        "waiting_list_mails",
        sa.Column("id", BigId, nullable=False),
        sa.Column("entry_id", BigId, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("sent_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('confirm', 'units')", name=op.f("ck_waiting_list_mails_kind")),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["waiting_list.id"], name=op.f("fk_waiting_list_mails_entry_id_waiting_list")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting_list_mails")),
    )
    op.create_index("ix_waiting_list_mails_due_at_ms", "waiting_list_mails", ["due_at_ms"], unique=False)
    op.create_index("ix_waiting_list_mails_entry_id", "waiting_list_mails", ["entry_id"], unique=False)


def downgrade():
    raise NotImplementedError("Migrations go forward only: see docs/decisions/0007-migrations-go-forward.md.")
