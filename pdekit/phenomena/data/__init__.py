"""Data sets: bundled, generated, or the user's own files; each comes with its provenance."""
