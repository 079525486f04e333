from vlmkit.commands.shared import command


@command(example="vlmkit dedup")
def dedup() -> int:
    """TBD"""
    return 0
