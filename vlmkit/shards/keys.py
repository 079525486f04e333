"""Keys are unique within a shard."""


class UniqueKeys:
    """Gives the r-th repeat of a key the name KEY~r."""

    def __init__(self) -> None:
        self._repeats: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._repeats)

    def __call__(self, key: str) -> str:
        if key not in self._repeats:
            self._repeats[key] = 0
            return key
        name, repeat = key, self._repeats[key]
        while name in self._repeats:
            repeat += 1
            name = f"{key}~{repeat}"
        self._repeats[key] = repeat
        self._repeats.setdefault(name, 0)
        return name
