"""`builtin:nano-vlm`: a LLaVA-style model small enough to train on two CPU cores in minutes, from random weights."""

from collections.abc import Iterable
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

NAME = "builtin:nano-vlm"
TOKENS = 1000
SIDE, PATCH = 64, 8  # pixels
CONTEXT = 512  # tokens

_PAD, _END, _IMAGE = "<pad>", "<end>", "<image>"
_ROLES = ("<system>", "<user>", "<assistant>")
_WIDTH, _HEADS = 128, 4
_LAYERS = {"vision": 4, "language": 2}
_DEVIATION = 0.08  # of the first weights; so narrow a model learns much more slowly from the usual 0.02

_TEMPLATE = """\
{%- for message in messages -%}
<{{ message.role }}>
{%- if message.content is string -%}{{ message.content }}
{%- else -%}
{%- for item in message.content -%}
{%- if item.type == "image" -%}<image>{%- else -%}{{ item.text }}{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- if message.role == "assistant" -%}<end>{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<assistant>{%- endif -%}
"""


def nano_vlm(texts: Iterable[str], seed: int) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    """A model of random weights, and its processor with a tokenizer trained on `texts`.

    LLaVA (Liu et al., 2023) in transformers' own classes: a CLIP vision tower that makes 64 tokens of a picture of
    64 x 64 pixels, a two-layer projector, a Llama; about 1.5 million parameters.
    """
    processor = _processor(_tokenizer(texts))
    tokenizer = processor.tokenizer
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(_config(tokenizer))
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model, processor


def _tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE (Sennrich et al., 2016; Radford et al., 2019): no text is unknown to it."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TOKENS,
        special_tokens=[_PAD, _END, _IMAGE, *_ROLES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=_PAD,
        eos_token=_END,
        extra_special_tokens={"image_token": _IMAGE},
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def _processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    square = {"height": SIDE, "width": SIDE}
    images = CLIPImageProcessorPil(
        size=square, crop_size=square, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return LlavaProcessor(
        images,
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )


def _config(tokenizer: Any) -> LlavaConfig:
    shape: dict[str, Any] = {"hidden_size": _WIDTH, "intermediate_size": 4 * _WIDTH, "num_attention_heads": _HEADS}
    shape |= {"initializer_range": _DEVIATION}
    vision = CLIPVisionConfig(**shape, num_hidden_layers=_LAYERS["vision"], image_size=SIDE, patch_size=PATCH)
    language = LlamaConfig(
        **shape,
        num_hidden_layers=_LAYERS["language"],
        vocab_size=-(-len(tokenizer) // 64) * 64,
        max_position_embeddings=CONTEXT,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
    )
    return LlavaConfig(
        vision_config=vision,
        text_config=language,
        image_token_index=tokenizer.convert_tokens_to_ids(_IMAGE),
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=(SIDE // PATCH) ** 2,
        tie_word_embeddings=True,
    )
