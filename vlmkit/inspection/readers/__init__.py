"""Other people's readers of tar shards: what each would refuse, change or silently drop, in its own terms."""
