"""Binance USD-M Futures: protocol without sockets, the stream, the REST API."""
