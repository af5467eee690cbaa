"""An ERP behind signed calls over HTTP; docs/erp/webhook.md tells what goes over the wire."""

from storefront.core.config import Reader, Settings
from storefront.erp.adapter import Adapter
from storefront.erp.adapters.webhook.adapter import WebhookAdapter
from storefront.erp.signed_calls import read_calls


def open_adapter(read: Reader, settings: Settings) -> Adapter:
    """The adapter as ERP_WEBHOOK_… say; what is wrong with them is noted in `read.problems`."""
    return WebhookAdapter(read_calls(read, "ERP_WEBHOOK", settings.development))
