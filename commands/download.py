from vlmkit.commands.shared import command


@command(example="vlmkit download")
def download() -> int:
    """TBD"""
    return 0
