"""Tar bytes to samples and back: the shard engine. Nothing here knows of tables, steps, jobs or models."""
