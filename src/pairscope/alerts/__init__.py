"""Rules on metrics: when they fire, and how the news of it reaches people."""
