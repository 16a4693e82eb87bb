"""Compiled building blocks of the estimators: moving moments, least squares, distributions."""
