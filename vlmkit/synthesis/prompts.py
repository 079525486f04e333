"""What an LLM is asked to do with a caption. Our own words, after what Unicorn asks for (Yu et al., 2025)."""

from vlmkit.captions.prompts import Prompt

SEED, FEWEST, MOST = "{caption}", "{min_words}", "{max_words}"

PROMPTS = {
    "dense": "A picture shows this: {caption}\n\n"
    "Write one paragraph of at least {min_words} words that tells somebody who can't see the picture exactly what is "
    "in it. Keep everything that is said above. Add details that could well be seen: first of all how the main subject "
    "looks, its parts, shape, size, colours and material; then what is around it, what stands where, and the light. "
    "Write only what an eye could check, as plain facts: no feelings, no judgement, no story. "
    "Begin with the scene itself, and write nothing but the paragraph.",
}


def parse_template(given: str) -> Prompt:
    """A name of PROMPTS, or a template of one's own: `{caption}`, `{min_words}` and `{max_words}` are filled in; a text
    without `{caption}` goes before the caption. Raises VlmkitError.
    """
    prompt = Prompt.parse(given, PROMPTS)
    return prompt if SEED in prompt.text else Prompt(prompt.name, f"{prompt.text}\n\n{SEED}")


def fill(template: str, seed: str, fewest: int, most: int) -> str:
    """The seed goes in last: what it says is not filled in."""
    return template.replace(FEWEST, str(fewest)).replace(MOST, str(most)).replace(SEED, seed)
