"""Trades to bars by exchange time; several symbols on one grid."""
