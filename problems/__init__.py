"""Problem catalogue."""
