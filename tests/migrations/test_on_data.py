"""Migrations over a shop that has been at work: its rows stay, and it goes on with them."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask_migrate import downgrade
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session, joinedload

from storefront.core.db import db
from storefront.core.tools import take
from storefront.erp.documents import document_of, read_document
from storefront.erp.models import BufferRow
from storefront.orders.models import Order
from storefront.stock.rebuild import rebuild
from storefront.stock.verify import verify
from tests.cart.shelf import available, visitor
from tests.migrations.history import History, all_rows

ADD_A_COLUMN = 'op.add_column("orders", sa.Column("fax", sa.String(20), nullable=False, server_default="none"))'
CHANGE_A_TYPE = """
with op.batch_alter_table("{table}") as table:
    table.alter_column("{column}", type_=sa.Text())
"""
LOSSES = {
    "a row": ('op.execute("DELETE FROM variants WHERE price = 0")', "variants.*POSTER"),
    "a value": ('op.execute("UPDATE orders SET name = line1")', "orders.*Bob"),
    "a column": ('op.drop_column("orders", "region")', "orders.*region"),
    "a table": ('op.drop_table("product_images")', "product_images.*mug.jpg"),
}


def test_every_migration_keeps_the_rows_that_were_there(history: History) -> None:
    history.walk()

    assert all(all_rows().values())


def test_a_shop_that_grew_up_with_its_migrations_goes_on(bare_app: Flask, history: History) -> None:
    history.walk()
    room = take("stockroom")
    room.unfenced.flushall()
    eve = visitor(bare_app)

    rebuild(room)
    pages = [eve.get(path).status_code for path in ("/", "/products/mug", "/orders/token-of-bob", "/cart")]
    free = available(bare_app, "MUG-BLUE")
    cancelled = eve.post("/api/v1/orders/token-of-bob/cancel")
    added, ordered = eve.add("MUG-BLUE", 3), eve.order("30.00")

    assert pages == [200, 200, 200, 200]
    assert free == 6
    assert [answer.status_code for answer in (cancelled, added, ordered)] == [200, 201, 201]
    assert available(bare_app, "MUG-BLUE") == 3  # the ERP has the cancelled order, and gives its units back or ships it
    assert verify(room, patience_seconds=0) == []


def test_orders_that_were_not_sent_get_the_document_that_would_be_written_today(history: History) -> None:
    history.walk()

    with Session(db.engine) as session:
        rows = session.scalars(select(BufferRow).options(joinedload(BufferRow.document))).all()
        of_orders = [row for row in rows if row.order_id]
        told = [read_document(row.document.text) for row in of_orders]
        fresh = [document_of(session.get_one(Order, row.order_id), row.kind, row.created_at_ms) for row in of_orders]
    assert len(told) == 3
    assert told == fresh


def test_a_migration_may_add_a_column(longer_history: Callable[..., History]) -> None:
    longer_history(ADD_A_COLUMN).walk()

    assert {row["fax"] for row in all_rows()["orders"]} == {"none"}


@pytest.mark.parametrize("table, column", [("products", "slug"), ("orders", "token")])
def test_a_migration_may_change_a_table_that_others_refer_to(
    longer_history: Callable[..., History], table: str, column: str
) -> None:
    """SQLite makes a new table for that; dropping the old one must not take with it what refers to it."""
    longer_history(CHANGE_A_TYPE.format(table=table, column=column)).walk()

    types = {one["name"]: str(one["type"]) for one in inspect(db.engine).get_columns(table)}
    assert types[column] == "TEXT"


def test_after_a_migration_rows_must_refer_to_something_again(history: History) -> None:
    history.walk()

    with pytest.raises(IntegrityError), db.engine.begin() as connection:
        connection.execute(text("INSERT INTO product_images (product_id, url, alt, position) VALUES (99, '', '', 1)"))


def test_a_migration_that_leaves_rows_without_what_they_refer_to_changes_nothing(
    history: History, longer_history: Callable[..., History]
) -> None:
    history.walk()
    before = all_rows()

    with pytest.raises((IntegrityError, SystemExit)):
        longer_history('op.execute("DELETE FROM orders WHERE id = 1")').upgrade("next")

    assert all_rows() == before


@pytest.mark.parametrize("statement, told", LOSSES.values(), ids=LOSSES)
def test_a_migration_that_loses_something_is_found_out(
    longer_history: Callable[..., History], statement: str, told: str
) -> None:
    with pytest.raises(AssertionError, match=rf"Revision next loses .*{told}"):
        longer_history(statement).walk()


def test_what_a_migration_says_it_takes_away_may_go(longer_history: Callable[..., History]) -> None:
    upgrade = 'op.drop_column("orders", "region")\nop.drop_table("product_images")'

    longer_history(upgrade, takes_away=["orders.region", "product_images"]).walk()

    assert "product_images" not in all_rows()


def test_a_new_table_needs_rows_for_the_next_migration_to_keep(longer_history: Callable[..., History]) -> None:
    with pytest.raises(AssertionError, match=r"\['notes'\]: add rows/next.sql"):
        longer_history('op.create_table("notes", sa.Column("id", sa.Integer(), primary_key=True))').walk()


def test_a_migration_that_fails_halfway_changes_nothing(
    history: History, longer_history: Callable[..., History]
) -> None:
    history.walk()
    before = all_rows()

    with pytest.raises(DatabaseError):
        longer_history(f'{ADD_A_COLUMN}\nop.execute("UPDATE nothing SET at = all")').upgrade("next")

    assert all_rows() == before


def test_there_is_no_way_back(history: History, caplog: pytest.LogCaptureFixture) -> None:
    history.walk()
    before = all_rows()

    with pytest.raises(SystemExit):
        downgrade(revision="base")

    assert "forward only" in caplog.text
    assert all_rows() == before
