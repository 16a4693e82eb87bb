"""What closes holes in the tape: each is a `Repair`."""
