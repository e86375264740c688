"""What the notebooks teach with: checkers, figures, widgets, sources and guesses."""
