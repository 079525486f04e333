from vlmkit.commands.shared import command


@command(example="vlmkit stats")
def stats() -> int:
    """TBD"""
    return 0
