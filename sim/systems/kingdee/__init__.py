"""Kingdee K3 Cloud: sale orders with reservation, outstock bills, stock query."""
