"""The metrics, each declared on its function."""
