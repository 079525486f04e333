"""Pictures, and tiny random models saved as transformers saves them."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

WORDS = ["<pad>", "<s>", "</s>", "<unk>", "a", "photo", "of", "the", "cat", "dog", "on", "mat", "red"]


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Six pictures of noise, in several shapes."""
    random = np.random.default_rng(0)
    shapes = [(40, 60), (60, 40), (33, 33), (224, 224), (7, 90), (1, 1)]
    return [Image.fromarray(random.integers(0, 256, (*shape, 3), dtype=np.uint8)) for shape in shapes]


@pytest.fixture(scope="session")
def photo():
    """A photograph that scikit-learn carries, by its name: `flower` or `china`."""
    spec = importlib.util.find_spec("sklearn") or pytest.skip("scikit-learn's photographs are not installed")
    folder = Path(spec.origin).parent / "datasets/images"
    return lambda name: Image.open(folder / f"{name}.jpg").convert("RGB")


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory) -> Path:
    """A random CLIP as transformers saves it."""
    from transformers import CLIPConfig, CLIPModel

    return _save(tmp_path_factory.mktemp("clip"), CLIPModel, CLIPConfig, "CLIPImageProcessor")


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory) -> Path:
    """A random SigLIP as transformers saves it."""
    from transformers import SiglipConfig, SiglipModel

    return _save(tmp_path_factory.mktemp("siglip"), SiglipModel, SiglipConfig, "SiglipImageProcessor")


def _save(folder: Path, model, config, processor: str) -> Path:
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**tower, "vocab_size": len(WORDS), "max_position_embeddings": 10}
    text |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    torch.manual_seed(0)
    model(config(text_config=text, vision_config={**tower, "image_size": 32, "patch_size": 16})).save_pretrained(folder)
    sides = {"height": 32, "width": 32}
    processing = {"image_processor_type": processor, "size": sides, "do_center_crop": False}
    (folder / "preprocessor_config.json").write_text(json.dumps(processing))
    _tokenizer().save_pretrained(folder)
    return folder


def _tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
