"""Exchange bytes become trades here."""
