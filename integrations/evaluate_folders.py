"""Where the modules for Hugging Face `evaluate` are installed; `evaluate` itself is not needed."""

from pathlib import Path

from collapse_guard.errors import bad_argument


def evaluate_path(name: str) -> str:
    """Where a module for Hugging Face `evaluate` is installed.

    Args:
        name: "collapse", "output_diversity" or "tail_probability".

    Returns:
        The absolute path of its folder, for `evaluate.load` and `evaluate.combine`.

    Raises:
        ArgumentError: There is no module of that name.

    Example:
        >>> Path(evaluate_path("collapse")).name
        'collapse'
    """
    scripts = Path(__file__).absolute().parent.glob("*/*.py")
    folders = {path.stem: path.parent for path in scripts if path.stem == path.parent.name}
    if not isinstance(name, str) or name not in folders:
        raise bad_argument(
            "name", expected=f"one of {sorted(folders)}", given=name, hint="choose one"
        )
    return str(folders[name])
