"""Makes a Tryton database with a company, a chart of accounts, a warehouse, a web shop and its bots.

Run by the Python of Tryton's own environment, not by the shop's: `python furnish.py tryton.cfg NAME`. The steps
are those of docs/erp/tryton.md.
"""
# mypy: disable-error-code="import-not-found"

import os
import sys
from pathlib import Path

import pycountry
from proteus import Model
from proteus import config as proteus
from trytond import admin, config
from trytond.commandline import get_parser_admin

CONFIG, NAME = sys.argv[1:]
PASSWORD = os.environ["BOT_PASSWORD"]
BOTS = {
    "bot": ["Sales Administrator", "Stock"],  # confirms, processes, takes back
    "clerk": ["Sales", "Stock"],  # confirms, and may do no more
}


def initialise():
    """Make the tables of every module that the web shop needs; the password comes from TRYTONPASSFILE."""
    config.update_etc(CONFIG)
    (Path(config.get("database", "path")) / f"{NAME}.sqlite").touch()
    command = ["-c", CONFIG, "-d", NAME, "-u", "web_shop", "--activate-dependencies", "--email", "admin@example.org"]
    admin.run(get_parser_admin().parse_args(command))


def found_company():
    """A company that keeps its books in euros, with the chart of accounts that Tryton brings, and a year to book in."""
    from trytond.modules.account.tests.tools import create_chart, create_fiscalyear
    from trytond.modules.account_invoice.tests.tools import set_fiscalyear_invoice_sequences
    from trytond.modules.company.tests.tools import create_company

    create_company(currency="EUR")
    create_chart()
    set_fiscalyear_invoice_sequences(create_fiscalyear()).click("create_period")


def list_countries():
    Country = Model.get("country.country")
    Country.save([Country(name=one.name, code=one.alpha_2, code3=one.alpha_3) for one in pycountry.countries])


def sell_by_category():
    """The category that says which account a product's revenue is booked to."""
    from trytond.modules.account.tests.tools import get_accounts

    category = Model.get("product.category")(name="Goods", accounting=True)
    category.account_revenue = get_accounts()["revenue"]
    category.account_expense = get_accounts()["expense"]
    category.save()


def open_shop():
    Location, Company = Model.get("stock.location"), Model.get("company.company")
    shop = Model.get("web.shop")(name="Stockbeat", company=Company.find()[0])
    shop.currency = shop.company.currency
    shop.warehouses.extend(Location.find([("type", "=", "warehouse")]))
    shop.save()
    choice = Model.get("sale.configuration")(1)
    choice.sale_invoice_method = "fulfillment"  # what is cancelled before it is shipped leaves no invoice
    choice.save()


def engage_bots():
    User, Group = Model.get("res.user"), Model.get("res.group")
    for login, groups in BOTS.items():
        user = User(name=login.title(), login=login, password=PASSWORD)
        user.companies.extend(Model.get("company.company").find())
        user.company = user.companies[0]
        user.groups.extend(Group.find([("name", "in", groups)]))
        user.save()
    (master,) = User.find([("login", "=", "admin")])
    master.groups.extend(set(Group.find()) - set(master.groups))
    master.save()


initialise()
proteus.set_trytond(NAME, config_file=CONFIG)
for step in (found_company, list_countries, sell_by_category, open_shop, engage_bots):
    step()
