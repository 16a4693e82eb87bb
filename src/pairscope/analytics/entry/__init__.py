"""The entry of a metric: its declaration, how it is asked for, and the window it is computed on."""
