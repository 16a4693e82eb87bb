"""Pure mathematics: arrays in, numbers out. Every metric is named in `registry`."""
