"""金蝶云星空 K3 Cloud WebAPI."""

from adapters.erp.kingdee.client import Kingdee

__all__ = ["Kingdee"]
