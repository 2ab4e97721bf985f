"""奇门 QiMen, the ERP-WMS contract of Taobao/Cainiao."""

from adapters.wms.qimen.client import Qimen
from adapters.wms.qimen.webhook import QimenHook

__all__ = ["Qimen", "QimenHook"]
