"""what listeners to events were last told of each SKU

Revision ID: 0004
Revises: 0003

"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "told_stock",
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("word", sa.String(length=16), nullable=False),
        sa.Column("told_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("word IN ('in_stock', 'low', 'sold_out')", name=op.f("ck_told_stock_word")),
        sa.PrimaryKeyConstraint("sku", name=op.f("pk_told_stock")),
    )


def downgrade():
    raise NotImplementedError("Migrations go forward only: see docs/decisions/0007-migrations-go-forward.md.")
