"""Learning to read digits, on any kernel of the ladder."""
