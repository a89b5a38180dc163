"""See model collapse while you train, and stop it.

The package is a core that needs only torch and numpy, with thin layers around it:

* `HumanReference` counts human text and says which tokens are its tail;
* `HeldOutPanel` holds the human documents that a model is looked at on;
* `CollapseMonitor` takes readings of any causal language model and raises alerts;
* `MixGuard` mixes human and synthetic rows with a floor that always holds, `MixStream` streams;
* `collapse_guard.callbacks` and `collapse_guard.integrations` translate between these and the
  training frameworks.

Names are imported on first use, so that `import collapse_guard` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collapse_guard.alerts.control_rules import control_rules as control_rules
    from collapse_guard.alerts.default_rules import default_rules as default_rules
    from collapse_guard.alerts.flattening_rules import flattening_rules as flattening_rules
    from collapse_guard.alerts.rules import Alert as Alert, Threshold as Threshold
    from collapse_guard.alerts.sight import Sight as Sight
    from collapse_guard.alerts.sinks import AlertSink as AlertSink, log_alert as log_alert
    from collapse_guard.audit.effective_temperature import (
        EffectiveTemperature as EffectiveTemperature,
        effective_temperature as effective_temperature,
    )
    from collapse_guard.callbacks.one_call.watch import watch as watch
    from collapse_guard.diversity import distinct_n as distinct_n
    from collapse_guard.errors import (
        ArgumentError as ArgumentError,
        CollapseGuardError as CollapseGuardError,
        ConformityError as ConformityError,
        LostPeerError as LostPeerError,
        MissingExtraError as MissingExtraError,
        MixOrderError as MixOrderError,
        PanelError as PanelError,
        PeerError as PeerError,
        ScoringError as ScoringError,
        TokenizerMismatchError as TokenizerMismatchError,
        UnwatchableError as UnwatchableError,
    )
    from collapse_guard.failures import FailureGuard as FailureGuard
    from collapse_guard.finder.find import find_decoding as find_decoding
    from collapse_guard.finder.search import DecodingSearch as DecodingSearch
    from collapse_guard.human_text.continuations import continuation_pairs as continuation_pairs
    from collapse_guard.human_text.panel import HeldOutPanel as HeldOutPanel
    from collapse_guard.human_text.reference import HumanReference as HumanReference
    from collapse_guard.human_text.type_counts import TypeCounts as TypeCounts
    from collapse_guard.mixing.guard import MixGuard as MixGuard
    from collapse_guard.mixing.packing.pack_collator import PackCollator as PackCollator
    from collapse_guard.mixing.packing.packed_mix import PackedMix as PackedMix
    from collapse_guard.mixing.planning.outlook import MixOutlook as MixOutlook
    from collapse_guard.mixing.reports.report import MixReport as MixReport
    from collapse_guard.mixing.strata.boost import RareBoost as RareBoost
    from collapse_guard.mixing.stream import MixStream as MixStream
    from collapse_guard.model.decoding import Decoding as Decoding
    from collapse_guard.model.logprobs import token_logprobs as token_logprobs
    from collapse_guard.model.marked_labels import (
        mark_labels as mark_labels,
        unmark_labels as unmark_labels,
    )
    from collapse_guard.model.matched_loss import (
        SamplerMatchedLoss as SamplerMatchedLoss,
        sampler_matched_loss as sampler_matched_loss,
    )
    from collapse_guard.model.sample import sample as sample
    from collapse_guard.monitor.look import Look as Look
    from collapse_guard.monitor.monitor import CollapseMonitor as CollapseMonitor
    from collapse_guard.monitor.pace import Budget as Budget, EveryNSteps as EveryNSteps
    from collapse_guard.monitor.track import Track as Track
    from collapse_guard.readings.baseline import Baseline as Baseline
    from collapse_guard.readings.check_reading import check_reading as check_reading
    from collapse_guard.readings.kind import ReadingKind as ReadingKind
    from collapse_guard.readings.log_odds import log_odds_reading as log_odds_reading
    from collapse_guard.readings.panel import Panel as Panel, ScoresItself as ScoresItself
    from collapse_guard.readings.prequential import PrequentialReader as PrequentialReader
    from collapse_guard.readings.profile import (
        CollapseProfile as CollapseProfile,
        collapse_profile as collapse_profile,
    )
    from collapse_guard.readings.reading import Reading as Reading
    from collapse_guard.readings.sampling import Sampling as Sampling
    from collapse_guard.rows.collate import MixCollator as MixCollator
    from collapse_guard.rows.source import Source as Source

__version__ = "0.1.0"

_HOME = {
    "Alert": "alerts.rules",
    "AlertSink": "alerts.sinks",
    "ArgumentError": "errors",
    "Baseline": "readings.baseline",
    "Budget": "monitor.pace",
    "CollapseGuardError": "errors",
    "CollapseMonitor": "monitor.monitor",
    "CollapseProfile": "readings.profile",
    "ConformityError": "errors",
    "Decoding": "model.decoding",
    "DecodingSearch": "finder.search",
    "EffectiveTemperature": "audit.effective_temperature",
    "EveryNSteps": "monitor.pace",
    "FailureGuard": "failures",
    "HeldOutPanel": "human_text.panel",
    "HumanReference": "human_text.reference",
    "Look": "monitor.look",
    "LostPeerError": "errors",
    "MissingExtraError": "errors",
    "MixCollator": "rows.collate",
    "MixGuard": "mixing.guard",
    "MixOrderError": "errors",
    "MixOutlook": "mixing.planning.outlook",
    "MixReport": "mixing.reports.report",
    "MixStream": "mixing.stream",
    "PackCollator": "mixing.packing.pack_collator",
    "PackedMix": "mixing.packing.packed_mix",
    "Panel": "readings.panel",
    "PanelError": "errors",
    "PeerError": "errors",
    "PrequentialReader": "readings.prequential",
    "RareBoost": "mixing.strata.boost",
    "Reading": "readings.reading",
    "ReadingKind": "readings.kind",
    "SamplerMatchedLoss": "model.matched_loss",
    "Sampling": "readings.sampling",
    "ScoresItself": "readings.panel",
    "ScoringError": "errors",
    "Sight": "alerts.sight",
    "Source": "rows.source",
    "Threshold": "alerts.rules",
    "TokenizerMismatchError": "errors",
    "Track": "monitor.track",
    "TypeCounts": "human_text.type_counts",
    "UnwatchableError": "errors",
    "check_reading": "readings.check_reading",
    "collapse_profile": "readings.profile",
    "continuation_pairs": "human_text.continuations",
    "control_rules": "alerts.control_rules",
    "default_rules": "alerts.default_rules",
    "distinct_n": "diversity",
    "effective_temperature": "audit.effective_temperature",
    "find_decoding": "finder.find",
    "flattening_rules": "alerts.flattening_rules",
    "log_alert": "alerts.sinks",
    "log_odds_reading": "readings.log_odds",
    "mark_labels": "model.marked_labels",
    "sample": "model.sample",
    "sampler_matched_loss": "model.matched_loss",
    "token_logprobs": "model.logprobs",
    "unmark_labels": "model.marked_labels",
    "watch": "callbacks.one_call.watch",
}

__all__ = [
    "Alert",
    "AlertSink",
    "ArgumentError",
    "Baseline",
    "Budget",
    "CollapseGuardError",
    "CollapseMonitor",
    "CollapseProfile",
    "ConformityError",
    "Decoding",
    "DecodingSearch",
    "EffectiveTemperature",
    "EveryNSteps",
    "FailureGuard",
    "HeldOutPanel",
    "HumanReference",
    "Look",
    "LostPeerError",
    "MissingExtraError",
    "MixCollator",
    "MixGuard",
    "MixOrderError",
    "MixOutlook",
    "MixReport",
    "MixStream",
    "PackCollator",
    "PackedMix",
    "Panel",
    "PanelError",
    "PeerError",
    "PrequentialReader",
    "RareBoost",
    "Reading",
    "ReadingKind",
    "SamplerMatchedLoss",
    "Sampling",
    "ScoresItself",
    "ScoringError",
    "Sight",
    "Source",
    "Threshold",
    "TokenizerMismatchError",
    "Track",
    "TypeCounts",
    "UnwatchableError",
    "check_reading",
    "collapse_profile",
    "continuation_pairs",
    "control_rules",
    "default_rules",
    "distinct_n",
    "effective_temperature",
    "find_decoding",
    "flattening_rules",
    "log_alert",
    "log_odds_reading",
    "mark_labels",
    "sample",
    "sampler_matched_loss",
    "token_logprobs",
    "unmark_labels",
    "watch",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
