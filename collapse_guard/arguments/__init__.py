"""Checks of arguments, in the wording that all errors of the package share.

* `numbers` and `kinds` have what an argument may be: a check takes its name and the value, and
  returns what the function is to work with, or raises an `ArgumentError` that says what to give;
* `checked` puts checks before a function, and `check_fields` into a dataclass;
* `understood` stands around the few lines that read an object of the caller's, which may fail in
  whatever way it likes, and `members` goes through one.
"""

from collapse_guard.arguments.checked import Check, check_fields, checked
from collapse_guard.arguments.kinds import (
    a,
    flag,
    function,
    many,
    module,
    one_of,
    optional,
    real,
    tensor,
    text,
    whole,
)
from collapse_guard.arguments.meant_fraction import meant_fraction
from collapse_guard.arguments.numbers import (
    MOST,
    amount,
    number,
    share,
    slots_of_a_block,
    whole_number,
)
from collapse_guard.arguments.understood import as_array, listed, members, understood

__all__ = [
    "Check",
    "MOST",
    "a",
    "amount",
    "as_array",
    "check_fields",
    "checked",
    "flag",
    "function",
    "listed",
    "many",
    "meant_fraction",
    "members",
    "module",
    "number",
    "one_of",
    "optional",
    "real",
    "share",
    "slots_of_a_block",
    "tensor",
    "text",
    "understood",
    "whole",
    "whole_number",
]
