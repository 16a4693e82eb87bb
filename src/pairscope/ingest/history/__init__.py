"""Past trades and bars from official files and REST pages, brought onto the tape."""
