"""The words everybody shares: clock, settings, errors, model."""
