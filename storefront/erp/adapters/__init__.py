"""The adapters: a folder for each ERP, with `open_adapter` in its `__init__.py`. Adding one is copying a folder."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from storefront.core.config import Reader, Settings
from storefront.erp.adapter import Adapter


def names() -> list[str]:
    """Which adapters there are."""
    return sorted(module.name for module in iter_modules([str(Path(__file__).parent)]) if module.ispkg)


def open_adapter(settings: Settings, name: str = "", environ: Mapping[str, str] | None = None) -> Adapter:
    """The adapter that ERP_ADAPTER names, with the settings it needs. Raises SettingsError, naming what is wrong.

    Nothing is connected yet. name, environ: others than those of `settings`.
    """
    read = Reader(settings.erp_environ if environ is None else environ)
    if name or settings.erp_adapter in names():
        adapter = import_module(f"{__name__}.{name or settings.erp_adapter}").open_adapter(read, settings)
    else:
        read.problems.append(f"ERP_ADAPTER={settings.erp_adapter!r} is not allowed: give one of {', '.join(names())}.")
    read.refuse()
    return adapter
