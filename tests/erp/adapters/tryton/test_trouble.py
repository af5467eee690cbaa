"""What goes wrong between the shop and Tryton, and what the shop is told of it."""

import signal
import threading
from pathlib import Path

import pytest

from storefront.core.config import SettingsError
from storefront.erp.adapter import ErpAmbiguous, ErpAuthFailed, ErpThrottled, ErpUnavailable
from storefront.erp.adapters.tryton import rpc
from tests.erp.adapters.tryton.documents import batch_of, order_of
from tests.erp.adapters.tryton.house import House, adapter_of
from tests.erp.adapters.tryton.proxy import Fault, Proxy, cut
from tests.running import free_port


@pytest.mark.parametrize("method", ["sale.create", "sale.process"])
def test_an_answer_that_is_lost_is_ambiguous_and_the_order_is_there_once(
    house: House, sku: str, proxy: Proxy, method: str
) -> None:
    order = order_of({sku: 3})
    proxy.faults.append(Fault(method, after=cut))

    with pytest.raises(ErpAmbiguous):
        house.behind_proxy.submit(batch_of(order))
    house.behind_proxy.submit(batch_of(order))

    assert house.adapter.lookup([order.key])[order.key].outcome == "applied"
    assert house.stock()[sku] == 997


def test_time_that_runs_out_is_ambiguous_though_tryton_has_worked(house: House, sku: str, proxy: Proxy) -> None:
    order = order_of({sku: 3})
    given_up = threading.Event()
    proxy.faults.append(Fault("sale.process", after=lambda: given_up.wait(30)))
    adapter = house.adapter_with(ERP_TRYTON_URL=proxy.url, ERP_TRYTON_SECONDS="2")

    with pytest.raises(ErpAmbiguous):
        adapter.submit(batch_of(order))
    given_up.set()

    assert house.adapter.lookup([order.key])[order.key].outcome == "applied"


def test_a_cut_while_reading_means_that_nothing_was_taken(house: House, sku: str, proxy: Proxy) -> None:
    order = order_of({sku: 3})
    proxy.faults.append(Fault("country.country.search_read", before=cut))

    with pytest.raises(ErpUnavailable):
        house.behind_proxy.submit(batch_of(order))

    assert house.adapter.lookup([order.key]) == {}


def test_a_tryton_that_goes_away_after_it_has_taken_something_is_ambiguous(
    house: House, sku: str, proxy: Proxy
) -> None:
    order = order_of({sku: 3})
    proxy.faults.append(Fault("sale.sale.search_read", before=cut, skip=1))

    with pytest.raises(ErpAmbiguous):
        house.behind_proxy.submit(batch_of(order))

    assert "model.sale.sale.create" in proxy.calls


def test_nobody_at_the_address_is_unavailable(house: House, sku: str) -> None:
    adapter = house.adapter_with(ERP_TRYTON_URL=f"http://127.0.0.1:{free_port()}")

    with pytest.raises(ErpUnavailable):
        adapter.submit(batch_of(order_of({sku: 1})))
    with pytest.raises(ErpUnavailable):
        adapter.health()


@pytest.mark.parametrize(
    "wrong", [{"ERP_TRYTON_PASSWORD": "guessed"}, {"ERP_TRYTON_SHOP": "Another"}, {"ERP_TRYTON_DATABASE": "none"}]
)
def test_wrong_settings_are_for_a_person(house: House, wrong: dict[str, str]) -> None:
    with pytest.raises(ErpAuthFailed):
        house.adapter_with(**wrong).health()


def test_a_session_that_has_run_out_is_renewed_once(house: House, sku: str, proxy: Proxy) -> None:
    house.behind_proxy.health()
    proxy.faults.append(Fault("sale.quote", status=401))

    (result,) = house.behind_proxy.submit(batch_of(order_of({sku: 1})))

    assert result.outcome == "applied"
    assert proxy.calls.count("common.db.login") == 1


def test_a_session_that_ends_at_once_is_for_a_person(house: House, proxy: Proxy) -> None:
    proxy.faults.append(Fault("web.shop.search_read", status=401, times=2))

    with pytest.raises(ErpAuthFailed):
        house.behind_proxy.health()


def test_a_pause_that_is_asked_for_is_told(house: House, proxy: Proxy) -> None:
    fault = Fault("web.shop.search_read", status=429, headers={"Retry-After": "7"})
    proxy.faults.append(fault)

    with pytest.raises(ErpThrottled) as raised:
        house.behind_proxy.health()

    assert raised.value.after_seconds == 7


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a database that is busy again at once."""
    monkeypatch.setattr(rpc, "LOCKED_PAUSES", (0.01, 0.01, 0.01))


@pytest.mark.usefixtures("impatient")
def test_a_database_that_is_busy_for_a_moment_is_asked_again(house: House, sku: str, proxy: Proxy) -> None:
    proxy.faults.append(Fault("sale.create", status=503, times=2))

    (result,) = house.behind_proxy.submit(batch_of(order_of({sku: 1})))

    assert result.outcome == "applied"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("method", "error"), [("sale.create", ErpAmbiguous), ("web.shop.search_read", ErpUnavailable)])
def test_a_database_that_stays_busy_is_told(
    house: House, sku: str, proxy: Proxy, method: str, error: type[Exception]
) -> None:
    proxy.faults.append(Fault(method, status=503, times=9))

    with pytest.raises(error):
        house.behind_proxy.submit(batch_of(order_of({sku: 1})))


def test_who_may_not_process_is_told_that_it_is_accepted_until_somebody_has(house: House, sku: str) -> None:
    order = order_of({sku: 3})
    clerk = house.adapter_with(ERP_TRYTON_USER="clerk")

    (result,) = clerk.submit(batch_of(order))
    before = clerk.lookup([order.key])[order.key]
    after = house.adapter.lookup([order.key])[order.key]

    assert [result.outcome, before.outcome, after.outcome] == ["accepted", "accepted", "applied"]
    assert house.stock()[sku] == 997


def test_an_order_that_cannot_be_quoted_leaves_nothing_in_the_way_of_its_correction(
    house: House, sku: str, proxy: Proxy
) -> None:
    order = order_of({sku: 1})
    sale = house.leave_at(order, "draft")
    house.ask("model.sale.sale.write", [sale], {"invoice_address": None})

    (refused,) = house.adapter.submit(batch_of(order))
    (result,) = house.adapter.submit(batch_of(order))

    assert [refused.outcome, result.outcome] == ["rejected", "applied"]
    assert refused.words


def test_missing_and_wrong_settings_are_named_all_together(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        adapter_of({"ERP_TRYTON_URL": "ftp://example.org", "ERP_TRYTON_SECONDS": "0"}, tmp_path)

    told = str(refused.value)
    for name in ("URL", "DATABASE", "USER", "PASSWORD", "SHOP", "SECONDS"):
        assert f"ERP_TRYTON_{name}" in told


def test_a_session_ends_with_its_adapter(house: House) -> None:
    adapter = house.adapter_with()
    adapter.health()
    (before,) = house.read("SELECT COUNT(*) FROM ir_session")[0]

    del adapter

    assert house.read("SELECT COUNT(*) FROM ir_session")[0] == (before - 1,)


def test_a_password_is_not_shown_where_the_connection_is(house: House) -> None:
    assert house.environ["ERP_TRYTON_PASSWORD"] not in repr(vars(house.adapter_with()._connection))


def test_a_server_that_is_killed_in_its_work_ends_with_each_order_once(house: House, sku: str, proxy: Proxy) -> None:
    orders = [order_of({sku: 1}) for _ in range(3)]

    def crash() -> None:
        house.tryton.stop(signal.SIGKILL)
        cut()

    proxy.faults.append(Fault("sale.confirm", after=crash))
    with pytest.raises(ErpAmbiguous):
        house.behind_proxy.submit(batch_of(*orders))
    house.tryton.start()
    results = house.behind_proxy.submit(batch_of(*orders))

    assert [result.outcome for result in results] == ["applied"] * 3
    assert house.stock()[sku] == 997
