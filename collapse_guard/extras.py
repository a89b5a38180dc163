"""Import of optional packages, with an error that says what to install."""

from importlib import import_module
from types import ModuleType

from collapse_guard.errors import MissingExtraError


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module, or say in one line how to get it.

    Args:
        module: Dotted name of the module, such as `"matplotlib.pyplot"`.
        extra: The extra of this distribution that installs it, such as `"report"`.

    Returns:
        The imported module.

    Raises:
        MissingExtraError: The top-level package is not installed. An import error from inside an
            installed package is a different defect and is passed on as it is.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingExtraError(
            f"{package} is needed here and is not installed: "
            f'run `pip install "collapse_guard[{extra}]"`.'
        ) from error
