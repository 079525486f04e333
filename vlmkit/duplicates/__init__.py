"""dedup: what makes two samples the same, and which of them stays."""
