"""Taking trades in: the live stream, what repairs its holes, and imported history."""
