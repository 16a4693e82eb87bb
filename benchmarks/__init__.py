"""pairscope beside what people use today: ``python -m benchmarks [name...]``, figures of one run."""
