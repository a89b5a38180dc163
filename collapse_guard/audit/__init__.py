"""A look at the rows themselves before training: what is in them, and what filters take away.

* `audit_rows` finds rows that should not be trained on: human text among the synthetic rows,
  held-out text, empty rows, columns that differ. `MixGuard.check` calls it.
* `audit_texts` asks whether synthetic texts are fit to train on, beside human ones of the same
  kind: what is left of rare words and phrases, what has vanished, what is overused, which share
  would have to be human. It needs no model, and any number of texts. Texts on many machines are
  sampled in parts (`ContentSample`), which are merged and compared (`audit_samples`).
* A `TextDetector` says how likely a text is to be machine-written. `detector_scores` asks it about
  every row, `quality_weights` makes soft weights of its answers, for `Source(quality=...)`, and
  `check_detector` holds a detector of your own to its promises. Ready ones are in
  `collapse_guard.integrations.detectors`, a module each: `perplexity`, `greenlist`, `synthid` and
  `classifier`.
* `effective_temperature` says at which temperature a model would have to write for rows to be what
  it writes: whether they are sharper than the model, and by how much.
* `EntropyRateBand` finds rows that loop or are noise, without a model.
* `rejection_by_rarity` says whether a filter takes rare contents away, which is what a filter
  against collapse must not do. All weights made here come with its report.
"""

from collapse_guard.audit.audit import LabelledRows, audit_rows
from collapse_guard.audit.comparison.audit_samples import audit_samples
from collapse_guard.audit.comparison.audit_texts import audit_texts
from collapse_guard.audit.comparison.content_sample import ContentSample, SampledText
from collapse_guard.audit.comparison.text_audit import TextAudit
from collapse_guard.audit.effective_temperature import (
    EffectiveTemperature,
    effective_temperature,
)
from collapse_guard.audit.filters.check_detector import check_detector
from collapse_guard.audit.filters.detector import TextDetector, detector_scores
from collapse_guard.audit.filters.entropy_band import EntropyRateBand, row_entropy_rates
from collapse_guard.audit.filters.rarity import row_rarity
from collapse_guard.audit.filters.rejection import RejectionReport, rejection_by_rarity
from collapse_guard.audit.filters.weights import RowWeights, quality_weights
from collapse_guard.audit.report import AuditReport

__all__ = [
    "AuditReport",
    "ContentSample",
    "EffectiveTemperature",
    "EntropyRateBand",
    "LabelledRows",
    "RejectionReport",
    "RowWeights",
    "SampledText",
    "TextAudit",
    "TextDetector",
    "audit_rows",
    "audit_samples",
    "audit_texts",
    "check_detector",
    "detector_scores",
    "effective_temperature",
    "quality_weights",
    "rejection_by_rarity",
    "row_entropy_rates",
    "row_rarity",
]
