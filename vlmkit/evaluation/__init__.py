"""Scores that can be trusted: lm-eval runs shards as its task, statistics say what a score and a difference mean.

lm-eval is imported only where it runs, so that statistics and the reading of predictions need nothing heavy.
"""
