"""The file drop: batches leave as CSV files, acknowledgements and stock figures come as CSV files. The default."""

from importlib.util import find_spec
from pathlib import Path

from storefront.core.config import Reader, Settings
from storefront.erp.adapters.filedrop.adapter import FileDrop
from storefront.erp.adapters.filedrop.folder import Folder, LocalFolder
from storefront.erp.adapters.filedrop.sftp import Address, SftpFolder, read_address

PLACES = "a folder, or sftp://USER[:PASSWORD]@HOST[:PORT]/FOLDER"


def open_adapter(read: Reader, settings: Settings) -> FileDrop:
    """The file drop that ERP_FILEDROP_… describe. Nothing is connected or made yet."""
    return FileDrop(
        _folder(read, settings),
        acknowledged=read.choice("ERP_FILEDROP_ACKS", "yes", ("yes", "no")) == "yes",
        margin_ms=1000 * read.number("ERP_FILEDROP_MARGIN_SECONDS", 60, 0, 86_400),
    )


def _folder(read: Reader, settings: Settings) -> Folder:
    given = read.environ.get("ERP_FILEDROP_PATH", "").strip()
    if "://" not in given:
        return LocalFolder(Path(given).absolute() if given else settings.data_dir / "erp")
    try:
        address = read_address(given)
    except ValueError:  # a password may stand in it, so it is not shown
        read.problems.append(f"ERP_FILEDROP_PATH=(hidden) is not allowed: give {PLACES}.")
        address = Address("", 22, "", None, "")
    if find_spec("paramiko") is None:
        read.problems.append("ERP_FILEDROP_PATH is an SFTP address, which needs paramiko: pip install paramiko")
    return SftpFolder(
        address,
        key_file=read.take("ERP_FILEDROP_KEY", None, "a file with a private key", _file),
        known_hosts=read.take("ERP_FILEDROP_KNOWN_HOSTS", None, "a file as ssh keeps it", _file),
    )


def _file(raw: str) -> Path:
    path = Path(raw).expanduser().absolute()
    if not path.is_file():
        raise ValueError(raw)
    return path
