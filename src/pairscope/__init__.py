"""pairscope: a self-hosted, real-time statistical-arbitrage workbench."""

__version__ = "0.3.0"

__all__ = ["__version__"]
