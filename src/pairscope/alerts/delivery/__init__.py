"""How what the outbox holds reaches people: channels, senders, retries, dead letters and the sign of life."""
