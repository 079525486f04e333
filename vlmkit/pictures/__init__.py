"""Stored pictures to pixels: the one place where they are decoded, and threads that do it ahead of a model."""
