import json
import shutil

import pytest
import torch
from PIL import Image

from vlmkit.errors import VlmkitError
from vlmkit.models.load import load_dual_encoder
from vlmkit.models.names import ModelName


def test_it_computes_what_the_library_computes(clip_folder, pictures):
    from transformers import CLIPModel

    ours = load_dual_encoder(ModelName("path", str(clip_folder)), "cpu")
    pixels = torch.stack([ours.prepare(picture) for picture in pictures[:3]])
    ids = torch.tensor([[1, 4, 8, 2], [1, 7, 9, 2]])  # <s> a cat </s>, <s> the dog </s>
    with torch.inference_mode():
        theirs = CLIPModel.from_pretrained(clip_folder)(input_ids=ids, pixel_values=pixels)
    torch.testing.assert_close(ours.encode_images(pixels), theirs.image_embeds, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.encode_texts(["a cat", "the dog"]), theirs.text_embeds, atol=1e-5, rtol=0)


def test_siglip_sees_texts_as_it_was_trained_on_them_padded_and_unmasked(siglip_folder):
    from transformers import SiglipModel

    ours = load_dual_encoder(ModelName("path", str(siglip_folder)), "cpu")
    ids = torch.tensor([[1, 4, 8, 2] + [0] * 6])  # <s> a cat </s> and padding
    with torch.inference_mode():
        theirs = SiglipModel.from_pretrained(siglip_folder).get_text_features(input_ids=ids).pooler_output
    expected = torch.nn.functional.normalize(theirs, dim=-1)
    torch.testing.assert_close(ours.encode_texts(["a cat"]), expected, atol=1e-5, rtol=0)


def test_a_picture_of_three_rows_keeps_its_colours(clip_folder):
    model = load_dual_encoder(ModelName("path", str(clip_folder)), "cpu")
    red, green, blue = model.prepare(Image.new("RGB", (40, 3), (255, 0, 0))).mean(dim=(1, 2)).tolist()
    assert red > 1 > 0 > max(green, blue)


def test_loading_prints_nothing(clip_folder, capfd):
    load_dual_encoder(ModelName("path", str(clip_folder)), "cpu")
    assert capfd.readouterr() == ("", "")


def test_code_inside_a_folder_is_never_run(clip_folder, tmp_path):
    folder = shutil.copytree(clip_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "theirs", "auto_map": {"AutoConfig": "code.C", "AutoModel": "code.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text("raise SystemExit('ran')")
    with pytest.raises(VlmkitError, match="can't be loaded"):
        load_dual_encoder(ModelName("path", str(folder)), "cpu")


def test_a_model_of_text_alone_is_no_dual_encoder(clip_folder, tmp_path):
    from transformers import BertConfig, BertModel

    folder = shutil.copytree(clip_folder, tmp_path / "model")
    (folder / "model.safetensors").unlink()
    small = BertConfig(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=20)
    BertModel(small).save_pretrained(folder)
    with pytest.raises(VlmkitError, match=r"does not embed pictures and texts \(BertModel\)"):
        load_dual_encoder(ModelName("path", str(folder)), "cpu")


@pytest.mark.parametrize("text", ["builtin:nothing", "builtin:minilm", "openai:http://localhost/v1#m"])
def test_a_name_of_no_dual_encoder_is_refused(text):
    with pytest.raises(VlmkitError, match="does not embed pictures and texts") as raised:
        load_dual_encoder(ModelName.parse(text))
    assert "builtin:conse" in raised.value.hint


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(VlmkitError, match="no model in"):
        load_dual_encoder(ModelName("path", str(tmp_path)))
