"""A vision tower and a language model of different makes, as one LLaVA."""

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
    SiglipVisionModel,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from vlmkit.errors import VlmkitError
from vlmkit.jobs.options import JobOptions
from vlmkit.models.names import ModelName
from vlmkit.shards.sample import new_sample
from vlmkit.training.compose import compose
from vlmkit.training.examples import IGNORED, Examples
from vlmkit.training.options import TrainOptions
from vlmkit.training.run import run_train

SHAPE = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(scope="module", params=["clip", "siglip"])
def vision(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vision")
    square = {"height": 32, "width": 32}
    if request.param == "clip":
        CLIPVisionModel(CLIPVisionConfig(**SHAPE, image_size=32, patch_size=16)).save_pretrained(folder)
        CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=square).save_pretrained(folder)
    else:
        SiglipVisionModel(SiglipVisionConfig(**SHAPE, image_size=32, patch_size=16)).save_pretrained(folder)
        SiglipImageProcessorPil(size=square).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def llm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llm")
    controls = ["<|im_start|>", "<|im_end|>", "<pad>"]
    words = [*controls, *pre_tokenizers.ByteLevel.alphabet()]
    bpe = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, []))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<pad>")
    tokenizer.add_special_tokens({"additional_special_tokens": controls[:1]})
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(**SHAPE, vocab_size=len(words), max_position_embeddings=128, eos_token_id=1, pad_token_id=2)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_both_halves_keep_their_weights_and_the_whole_loads_with_transformers(vision, llm, tmp_path, picture):
    compose(ModelName("path", str(vision)), ModelName("path", str(llm)), seed=0).save(tmp_path)
    model = AutoModelForImageTextToText.from_pretrained(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    assert type(model) is LlavaForConditionalGeneration
    said = model.model.language_model.state_dict()
    for name, value in load_file(llm / "model.safetensors").items():
        if name.startswith("model.") and "embed" not in name:
            assert torch.equal(said[name.removeprefix("model.")], value), name
    seen = {name.split("vision_model.")[-1]: value for name, value in model.model.vision_tower.state_dict().items()}
    for name, value in load_file(vision / "model.safetensors").items():
        assert torch.equal(seen[name.split("vision_model.")[-1]], value), name
    sample = new_sample("a", {"png": picture(), "txt": b"a red square"})
    examples = Examples(processor, 128, caption_prompt="what?")
    example = examples(sample)
    examples.check(sample)
    assert processor.tokenizer.decode(example.labels[example.labels != IGNORED]) == "a red square<|im_end|>"
    assert (example.ids == model.config.image_token_id).sum() == 4
    model(input_ids=example.ids[None], **example.pictures[0])


def test_it_trains_and_goes_on_as_a_checkpoint(vision, llm, squares, tmp_path):
    quiet = JobOptions(quiet=True)
    halves = {"vision": f"path:{vision}", "llm": f"path:{llm}", "freeze": ("vision", "language")}
    run_train([str(squares)], tmp_path / "a", TrainOptions(**halves, samples=8, batch_size=4), quiet, device="cpu")
    options = TrainOptions(model=f"path:{tmp_path / 'a'}", samples=8, batch_size=4)
    assert run_train([str(squares)], tmp_path / "b", options, quiet, device="cpu") == 0


def test_a_language_model_without_a_chat_template_is_refused(vision, llm, tmp_path):
    for path in llm.iterdir():
        if path.name != "chat_template.jinja":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(VlmkitError, match="no chat template"):
        compose(ModelName("path", str(vision)), ModelName("path", str(tmp_path)), seed=0)


def test_a_tower_of_an_unknown_kind_is_refused(llm):
    with pytest.raises(VlmkitError, match="kind llama is not known"):
        compose(ModelName("path", str(llm)), ModelName("path", str(llm)), seed=0)
