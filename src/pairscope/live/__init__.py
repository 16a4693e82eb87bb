"""Bars become the present state of every symbol and pair here."""
