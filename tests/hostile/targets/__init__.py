"""Everything public that takes arguments, by area."""

from tests.hostile.target import Target
from tests.hostile.targets import (
    audit,
    diversity,
    engines,
    frameworks,
    human_text,
    mixing,
    models,
    monitor,
)

AREAS = (audit, diversity, engines, frameworks, human_text, mixing, models, monitor)

TARGETS: dict[str, Target] = {target.name: target for area in AREAS for target in area.targets()}
