"""A vision tower, a new projector and a language model, put together in transformers' own LLaVA classes."""

from typing import Any, Literal

import torch
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    CLIPVisionModel,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    SiglipVisionModel,
)

from vlmkit.errors import VlmkitError
from vlmkit.models.llm import HINT as LLM_HINT
from vlmkit.models.llm import load_smollm2
from vlmkit.models.loading import loading
from vlmkit.models.names import ModelName
from vlmkit.training.trainee import Trainee

VISION_HINT = "use hf:ORG/NAME or path:FOLDER of a CLIP, SigLIP or DINOv2 model that transformers loads"

_IMAGE = "<image>"

# Towers that give patches in rows, and how many tokens that are none of them stand in front.
_TOWERS: dict[str, tuple[Any, int]] = {
    "clip": (CLIPVisionModel, 1),
    "clip_vision_model": (CLIPVisionModel, 1),
    "siglip": (SiglipVisionModel, 0),
    "siglip_vision_model": (SiglipVisionModel, 0),
    "dinov2": (AutoModel, 1),
}

# A language model's template expects texts: it is given each message's items as one.
_FLATTEN = """\
{%- set flat = namespace(messages=[], text="") -%}
{%- for message in messages -%}
{%- set flat.text = message.content if message.content is string else "" -%}
{%- for item in ([] if message.content is string else message.content) -%}
{%- set flat.text = flat.text + ("<image>" if item.type == "image" else item.text) -%}
{%- endfor -%}
{%- set flat.messages = flat.messages + [{"role": message.role, "content": flat.text}] -%}
{%- endfor -%}
{%- set messages = flat.messages -%}
"""


def compose(vision: ModelName, llm: ModelName, seed: int) -> Trainee:
    """LLaVA-1.5's architecture (Liu et al., 2024) of two trained halves; the projector's weights are random.

    The last layer's patches are used. Raises VlmkitError for a tower or a language model that does not fit.
    """
    tower, images, extra = _tower(vision)
    language, tokenizer = _language(llm)
    image_id = _add_image_token(language, tokenizer)
    strategy: Literal["default", "full"] = "default" if extra else "full"
    patches = (tower.config.image_size // tower.config.patch_size) ** 2
    config = LlavaConfig(
        vision_config=tower.config,
        text_config=language.config,
        image_token_index=image_id,
        vision_feature_layer=-1,
        vision_feature_select_strategy=strategy,
        image_seq_length=patches,
        tie_word_embeddings=language.config.tie_word_embeddings,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(config)
    model.model.vision_tower.load_state_dict(tower.state_dict())
    model.model.language_model.load_state_dict(language.model.state_dict())
    model.lm_head.load_state_dict(language.lm_head.state_dict())
    model.generation_config = language.generation_config
    processor = LlavaProcessor(
        images,
        tokenizer,
        patch_size=tower.config.patch_size,
        vision_feature_select_strategy=strategy,
        num_additional_image_tokens=extra,
        chat_template=_FLATTEN + tokenizer.chat_template,
    )
    return Trainee(model, processor)


def _tower(name: ModelName) -> tuple[Any, Any, int]:
    """A vision tower, its image processor, and how many of its tokens are no patches."""
    if name.kind not in ("hf", "path"):
        raise VlmkitError(f"{name} is no vision tower that transformers loads", VISION_HINT)
    source: dict[str, Any] = {"revision": name.revision or "main", "trust_remote_code": False}
    with loading(name, "model", VISION_HINT):
        kind = AutoConfig.from_pretrained(name.id, **source).model_type
        if kind not in _TOWERS:
            raise VlmkitError(f"{name}: a vision tower of the kind {kind} is not known here", VISION_HINT)
        family, extra = _TOWERS[kind]
        tower = family.from_pretrained(name.id, dtype=torch.float32, **source)
        images = AutoImageProcessor.from_pretrained(name.id, backend="pil", **source)
    return tower, images, extra


def _language(name: ModelName) -> tuple[Any, Any]:
    """A causal language model and its tokenizer, which must have a chat template."""
    if str(name) == "builtin:smollm2":
        return tuple(load_smollm2(torch.float32))
    if name.kind not in ("hf", "path"):
        raise VlmkitError(f"{name} is no language model that can be trained", LLM_HINT)
    source: dict[str, Any] = {"revision": name.revision or "main", "trust_remote_code": False}
    with loading(name, "model", LLM_HINT):
        tokenizer = AutoTokenizer.from_pretrained(name.id, **source)
        model = AutoModelForCausalLM.from_pretrained(name.id, dtype=torch.float32, **source)
    if tokenizer.chat_template is None:
        raise VlmkitError(f"{name} has no chat template", "use the variant that was tuned on instructions")
    return model, tokenizer


def _add_image_token(language: Any, tokenizer: Any) -> int:
    """The id of the token that stands for a patch, for which the embeddings get a row if they have none."""
    tokenizer.add_special_tokens({"additional_special_tokens": [_IMAGE]})
    if len(tokenizer) > language.get_input_embeddings().num_embeddings:
        language.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    return int(tokenizer.convert_tokens_to_ids(_IMAGE))
