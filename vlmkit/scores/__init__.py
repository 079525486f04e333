"""Scorers, one family a file, and the filter that decides by them."""
