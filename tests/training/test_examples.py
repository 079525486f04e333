"""What is learnt of a sample: the assistant's words, and nothing else."""

import json

import pytest
import torch
from transformers import AutoProcessor

from vlmkit.errors import VlmkitError
from vlmkit.shards.sample import new_sample
from vlmkit.training.chat import NotTrainable
from vlmkit.training.examples import IGNORED, Examples


@pytest.fixture(scope="module")
def processor(tiny):
    return AutoProcessor.from_pretrained(tiny)


@pytest.fixture(scope="module")
def examples(processor):
    return Examples(processor, max_tokens=60)


@pytest.fixture
def sample(picture):
    def make(messages, pictures=1, **fields):
        images = {f"{number}.png": picture(color=(number, 0, 0)) for number in range(pictures)}
        return new_sample("a", images | {"json": json.dumps({"messages": messages}).encode()} | fields)

    return make


def turn(role, *items):
    return {
        "role": role,
        "content": [{"type": "image"} if item is None else {"type": "text", "text": item} for item in items],
    }


def learnt(processor, example):
    return processor.tokenizer.decode(example.labels[example.labels != IGNORED])


def test_only_the_answers_and_their_ends_are_learnt(processor, examples, sample):
    chat = [
        turn("system", "be brief"),
        turn("user", None, "which?"),
        turn("assistant", "red"),
        turn("user", "and", None),
        turn("assistant", "blue"),
    ]
    example = examples(sample(chat, pictures=2))
    assert learnt(processor, example) == "red<end>blue<end>"
    text = processor.tokenizer.decode(example.ids)
    assert text == (
        "<system>be brief<user><image><image><image><image>which?<assistant>red<end>"
        "<user>and<image><image><image><image><assistant>blue<end>"
    )
    kept = example.labels != IGNORED
    assert torch.equal(example.labels[kept], example.ids[kept])


def test_examples_are_what_the_processor_makes_of_the_whole(examples, sample):
    examples.check(sample([turn("user", None, "which?", None), turn("assistant", "ré d")], pictures=2))


def test_a_processor_with_other_ways_is_refused(processor, sample):
    class Other(type(processor)):
        def replace_image_token(self, image_inputs, image_idx, **kwargs):
            return "a" + super().replace_image_token(image_inputs, image_idx, **kwargs)

        def __call__(self, **given):
            made = super().__call__(**given)
            if given["text"] != [self.image_token]:
                made["input_ids"] = torch.cat([made["input_ids"], made["input_ids"][:, -1:]], dim=1)
            return made

    other = Other(processor.image_processor, processor.tokenizer, patch_size=32, chat_template=processor.chat_template)
    with pytest.raises(VlmkitError, match="unknown to vlmkit"):
        Examples(other, 60).check(sample([turn("user", None), turn("assistant", "red")]))


def test_a_template_that_ends_turns_with_a_newline_learns_none(processor, sample):
    chatml = (
        "{% for m in messages %}<|{{ m.role }}|>\n{% for c in m.content %}"
        "{{ '<image>' if c.type == 'image' else c.text }}{% endfor %}<end>\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
    )
    kind = type(processor)
    other = kind(
        processor.image_processor,
        processor.tokenizer,
        patch_size=32,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=chatml,
    )
    examples = Examples(other, 60)
    made = sample([turn("user", None, "which?"), turn("assistant", "red")])
    assert learnt(processor, examples(made)) == "red<end>"
    examples.check(made)


def test_a_template_that_rewrites_earlier_turns_is_refused(processor, sample):
    forgetful = "{{ messages | length }}{% for m in messages %}{{ m.role }}{% endfor %}"
    other = type(processor)(processor.image_processor, processor.tokenizer, patch_size=32, chat_template=forgetful)
    with pytest.raises(VlmkitError, match="begins and ends"):
        Examples(other, 60)(sample([turn("user", "which?"), turn("assistant", "red")], pictures=0))


def test_a_caption_answers_its_picture(processor, picture):
    made = new_sample("a", {"png": picture(), "txt": b" a red square\n"})
    example = Examples(processor, 60, caption_prompt="what is there?")(made)
    assert learnt(processor, example) == "a red square<end>"
    assert processor.tokenizer.decode(example.ids).startswith("<user><image><image><image><image>what is there?")
    plain = Examples(processor, 60)(made)
    assert processor.tokenizer.decode(plain.ids).startswith("<user><image><image><image><image><assistant>a red")


def test_the_same_picture_gives_the_same_pixels_again(examples, sample):
    first, second = (examples(sample([turn("user", None, text), turn("assistant", "red")])) for text in "ab")
    assert first.pictures[0] is second.pictures[0]


@pytest.mark.parametrize(
    ("fields", "reason", "bad"),
    [
        ({"png": b"none", "txt": b"red"}, "unreadable image", True),
        ({"txt": b"red"}, "no image", False),
        ({"png": None}, "no text", False),
        ({"png": None, "txt": b"\xff"}, "unreadable text", True),
        ({"png": None, "json": b"{"}, "unreadable json", True),
        ({"png": None, "txt": b"a <end>"}, "a control token in the text", False),
        ({"png": None, "txt": b"long " * 80}, "tokens <= 60", False),
        ({"png": None, "json": b'{"messages": [{"role": "user", "content": "why?"}]}'}, "other images", False),
        ({"json": b'{"messages": [{"role": "user", "content": "why?"}]}'}, "no answer to learn", False),
        ({"json": b'{"messages": [{"role": "judge", "content": "why?"}]}'}, "unreadable messages", True),
        ({"json": b'{"messages": [{"role": "user", "content": [{"type": "video"}]}]}'}, "unreadable messages", True),
    ],
)
def test_what_gives_no_example_says_why(examples, picture, fields, reason, bad):
    with pytest.raises(NotTrainable) as found:
        examples(new_sample("a", {name: data if data is not None else picture() for name, data in fields.items()}))
    assert found.value.reason.startswith(reason)
    assert found.value.bad == bad
