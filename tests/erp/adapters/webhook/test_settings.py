"""The settings of the webhook: what is wrong stops the start by name, and secrets are not told."""

from pathlib import Path

import pytest

from storefront.core.config import SettingsError, load_settings
from storefront.erp.adapter import ErpUnavailable
from storefront.erp.adapters import open_adapter
from tests.erp.adapters.webhook.house import SECRET, House, adapter_of

GOOD = {
    "ERP_ADAPTER": "webhook",
    "ERP_WEBHOOK_URL": "https://erp.example.org/shop",
    "ERP_WEBHOOK_SECRET": "sixteen-letters!",
}


def test_url_and_secret_are_enough(tmp_path: Path) -> None:
    adapter = adapter_of(GOOD, tmp_path)

    assert adapter.name == "webhook"


@pytest.mark.parametrize("name, value, words", [
    ("ERP_WEBHOOK_URL", "", "ERP_WEBHOOK_URL is missing"),
    ("ERP_WEBHOOK_URL", "erp.example.org", "ERP_WEBHOOK_URL=(hidden) is not allowed"),
    ("ERP_WEBHOOK_URL", "ftp://erp.example.org", "ERP_WEBHOOK_URL=(hidden) is not allowed"),
    ("ERP_WEBHOOK_URL", "https://", "ERP_WEBHOOK_URL=(hidden) is not allowed"),
    ("ERP_WEBHOOK_URL", "https://erp.example.org/?a=b", "ERP_WEBHOOK_URL=(hidden) is not allowed"),
    ("ERP_WEBHOOK_URL", "https://erp.example.org:99999", "ERP_WEBHOOK_URL=(hidden) is not allowed"),
    ("ERP_WEBHOOK_URL", "https://erp.exa mple.org", "ERP_WEBHOOK_URL=(hidden) is not allowed"),
    ("ERP_WEBHOOK_SECRET", "", "ERP_WEBHOOK_SECRET is missing"),
    ("ERP_WEBHOOK_SECRET", "fifteen-letters", "ERP_WEBHOOK_SECRET=(hidden) is not allowed"),
    ("ERP_WEBHOOK_SECRET", "sixteen-letters! short", "ERP_WEBHOOK_SECRET=(hidden) is not allowed"),
    ("ERP_WEBHOOK_ALLOW_PRIVATE", "maybe", "ERP_WEBHOOK_ALLOW_PRIVATE='maybe' is not allowed: give one of yes, no"),
    ("ERP_WEBHOOK_SIGNED_REPLIES", "1", "ERP_WEBHOOK_SIGNED_REPLIES='1' is not allowed: give one of yes, no"),
    ("ERP_WEBHOOK_SECONDS", "0", "ERP_WEBHOOK_SECONDS='0' is not allowed: give a whole number from 1 to 25"),
])  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        adapter_of({**GOOD, name: value}, tmp_path)

    assert words in str(caught.value)


def test_every_wrong_setting_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        adapter_of({"ERP_ADAPTER": "webhook", "ERP_WEBHOOK_SECONDS": "x"}, tmp_path)

    assert str(caught.value).count("ERP_WEBHOOK_") == 3


@pytest.mark.parametrize("allow, reached", [("no", False), ("yes", True)])
def test_in_production_this_machine_is_private_too(house: House, tmp_path: Path, allow: str, reached: bool) -> None:
    environ = {**house.environ, "ERP_WEBHOOK_ALLOW_PRIVATE": allow, "APP_ENV": "production", "SECRET_KEY": SECRET}
    database = {"DATABASE_URL": "postgresql://localhost/shop", "DATA_DIR": str(tmp_path)}
    adapter = open_adapter(load_settings({**environ, **database}))

    if reached:
        assert adapter.health()
    else:
        with pytest.raises(ErpUnavailable, match=r"127\.0\.0\.1, which is no public address"):
            adapter.health()
    assert len(house.receiver.seen) == reached
