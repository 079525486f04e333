from vlmkit.commands.shared import command


@command(example="vlmkit check")
def check() -> int:
    """TBD"""
    return 0
