"""Long work: a bounded queue of jobs, worker processes that end with their parent, progress, cancel, result."""
