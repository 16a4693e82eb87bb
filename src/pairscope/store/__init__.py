"""Trades, bars and gaps on disk: one DuckDB file for the open day, one thread that writes it."""
