"""WeChat mini-program shop: shipping information, receipt, settlement events."""
