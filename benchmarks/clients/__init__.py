"""Each client is its own process: it connects, consumes, and says how it went in one line of JSON."""
