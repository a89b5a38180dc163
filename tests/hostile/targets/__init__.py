"""Everything public that takes arguments, by area."""

from importlib import import_module
from importlib.util import find_spec

from tests.hostile.target import Target
from tests.hostile.targets import audit, diversity, frameworks, human_text, mixing, models, monitor

AREAS = [audit, diversity, frameworks, human_text, mixing, models, monitor]
if find_spec("datatrove"):
    # Not among the lowest versions, whose numpy it does not go with.
    AREAS.append(import_module("tests.hostile.targets.engines"))

TARGETS: dict[str, Target] = {target.name: target for area in AREAS for target in area.targets()}
