"""Looks at datasets without changing them: what is wrong with them, and what is in them."""
