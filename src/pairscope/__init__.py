"""pairscope: a self-hosted, real-time statistical-arbitrage workbench."""

__version__ = "0.2.0"

__all__ = ["__version__"]
