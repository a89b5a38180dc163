"""What watches a training run for collapse: a session for any loop, and frameworks' callbacks.

Names are imported on first use, so that a user of one framework never pays for another, and a
framework that is not installed is missed only by those who ask for its callback.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collapse_guard.callbacks.axolotl.plugin import AxolotlPlugin
    from collapse_guard.callbacks.huggingface.callback import CollapseGuardCallback
    from collapse_guard.callbacks.huggingface.mix_ledger import MixLedgerCallback
    from collapse_guard.callbacks.lightning.callback import CollapseGuard
    from collapse_guard.callbacks.lightning.held_out import WatchHeldOut
    from collapse_guard.callbacks.one_call.inside import watching_trainers
    from collapse_guard.callbacks.one_call.watched import Watched, WatchedLoop
    from collapse_guard.callbacks.session import WatchSession

_HOME = {
    "AxolotlPlugin": "axolotl.plugin",
    "CollapseGuard": "lightning.callback",
    "CollapseGuardCallback": "huggingface.callback",
    "MixLedgerCallback": "huggingface.mix_ledger",
    "WatchHeldOut": "lightning.held_out",
    "WatchSession": "session",
    "Watched": "one_call.watched",
    "WatchedLoop": "one_call.watched",
    "watching_trainers": "one_call.inside",
}

__all__ = [
    "AxolotlPlugin",
    "CollapseGuard",
    "CollapseGuardCallback",
    "MixLedgerCallback",
    "WatchHeldOut",
    "WatchSession",
    "Watched",
    "WatchedLoop",
    "watching_trainers",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The full name, not `__name__`: a checkout also offers this folder as plain `callbacks`, and
    # both doors must lead to one and the same class.
    value = getattr(import_module(f"collapse_guard.callbacks.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
