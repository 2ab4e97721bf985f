"""The roles that outside systems play (`roles`), and the frozen values they exchange with us (`sent`, `got`)."""

from ballast.domain.deliveries import Source
from ballast.domain.origin import Origin
from ballast.domain.people import Person
from ballast.ports.got import (
    Charge,
    Codes,
    CountedFigure,
    Delivery,
    HookAnswer,
    HookRequest,
    Meaning,
    Message,
    News,
    Receipt,
    Refund,
    RefusedFigure,
    StockCount,
    StockFigure,
    StockReading,
)
from ballast.ports.roles import Alerts, Asked, Courier, Erp, Hook, Payment, Role, Storefront, Wms
from ballast.ports.sent import Digest, Item, Line, Order, Parcel, Receiver, RefundRequest, Waybill

__all__ = [
    "Alerts",
    "Asked",
    "Charge",
    "Codes",
    "CountedFigure",
    "Courier",
    "Delivery",
    "Digest",
    "Erp",
    "Hook",
    "HookAnswer",
    "HookRequest",
    "Item",
    "Line",
    "Meaning",
    "Message",
    "News",
    "Order",
    "Origin",
    "Parcel",
    "Payment",
    "Person",
    "Receipt",
    "Receiver",
    "Refund",
    "RefundRequest",
    "RefusedFigure",
    "Role",
    "Source",
    "StockCount",
    "StockFigure",
    "StockReading",
    "Storefront",
    "Waybill",
    "Wms",
]
