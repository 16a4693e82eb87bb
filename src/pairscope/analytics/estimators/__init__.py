"""Estimators and tests, each under the name of its method."""
