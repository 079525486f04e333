"""Words of a text: which carry its content, how varied they are."""

import math
import re
from collections import Counter
from collections.abc import Sequence

# Function words of English, and words that tell of the picture and not of what it shows.
_FUNCTION = frozenset(
    re.findall(
        r"[a-z]+",
        """a about above across after against all along also am among an and another any are around as at away be
        because been before behind being below beside between both but by can close could did do does down
        during each either every few for from front had has have he her here hers him his how i if in inside
        into is it its itself just left like many may me might more most much my near nearby next no none nor
        not of off on one onto or other others our out outside over own right several she should side since
        so some such than that the their them then there these they this those through to together too toward
        towards under until up upon us very was we were what when where which while who whom whose why will
        with within without would you your caption description image images photo photograph picture pictures
        shot view showing shows shown""",
    )
)
_SUFFIXES = ("ings", "ing", "ied", "ies", "ed", "es", "s", "y", "e")
_SHORTEST_STEM = 3


def words(text: str) -> list[str]:
    """The words of a text in lower case, without digits and punctuation."""
    return re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)?", text.casefold())


def content_words(text: str) -> set[str]:
    """Stems of the words that say something: not function words, three letters or more, common endings cut off."""
    return {_stem(word) for word in words(text) if len(word) > 2 and word not in _FUNCTION}


def overlap(seed: str, text: str) -> float:
    """The share of the seed's content words that occur in the text, in [0, 1]; 1 if it has none.

    A simple measure, for languages that part words by spaces and, in its stop list and endings, for English; a
    synonym counts as lost, so that a threshold well below 1 is meant.
    """
    wanted = content_words(seed)
    return len(wanted & content_words(text)) / len(wanted) if wanted else 1.0


def type_token_ratio(tokens: Sequence[str]) -> float:
    """Distinct words over words, in [0, 1]; 0 without any."""
    return len(set(tokens)) / len(tokens) if tokens else 0.0


def token_entropy(tokens: Sequence[str]) -> float:
    """Entropy of the distribution of words within a text (Shannon, 1948), in bits."""
    counts = Counter(tokens).values()
    return sum(count / len(tokens) * math.log2(len(tokens) / count) for count in counts)


def repeated_share(tokens: Sequence[str], size: int = 5) -> float:
    """The share of words that lie in a run of `size` words that stood before, in [0, 1] (after Rae et al., 2021)."""
    seen: set[tuple[str, ...]] = set()
    repeated: set[int] = set()
    for start in range(len(tokens) - size + 1):
        gram = tuple(tokens[start : start + size])
        if gram in seen:
            repeated |= set(range(start, start + size))
        seen.add(gram)
    return len(repeated) / len(tokens) if tokens else 0.0


def _stem(word: str) -> str:
    """Cuts the first ending that leaves enough; a doubled last letter becomes one: running, runs, run are `run`."""
    stem = word.removesuffix("'s").removesuffix("’s")
    for suffix in _SUFFIXES:
        if stem.endswith(suffix) and len(stem) - len(suffix) >= _SHORTEST_STEM:
            stem = stem.removesuffix(suffix)
            break
    return stem[:-1] if len(stem) > _SHORTEST_STEM and stem[-1] == stem[-2] else stem
