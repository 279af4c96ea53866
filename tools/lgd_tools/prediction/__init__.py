"""A trained network on videos that nobody labelled."""
