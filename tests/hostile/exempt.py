"""Public names that are not called with hostile arguments, each with the reason."""

_ERROR = "an error, which our own code makes"
_MADE = "plain data that our own code makes and hands out"
_PROTOCOL = "a protocol or alias, which is not called"

EXEMPT = {
    "Alert": _MADE,
    "AlertSink": _PROTOCOL,
    "ArgumentError": _ERROR,
    "AuditReport": _MADE,
    "Baseline": _MADE,
    "CollapseGuardError": _ERROR,
    "CollapseProfile": _MADE,
    "ConformityError": _ERROR,
    "DecodingSearch": _MADE,
    "Document": _PROTOCOL,
    "EffectiveTemperature": _MADE,
    "EntropyRateBand": "made by `of`, which is called",
    "LabelledRows": _PROTOCOL,
    "Located": _MADE,
    "LocatedSegments": _MADE,
    "LostPeerError": _ERROR,
    "Look": "a Reading, which is called",
    "MissingExtraError": _ERROR,
    "MixOrderError": _ERROR,
    "MixOutlook": "made by `MixGuard.plan`, which is called",
    "MixReport": _MADE,
    "PackSegment": _MADE,
    "Panel": _PROTOCOL,
    "PanelError": _ERROR,
    "PeerError": _ERROR,
    "RejectionReport": _MADE,
    "RowWeights": _MADE,
    "SIZE_FREE": "a set of names",
    "ScoresItself": _PROTOCOL,
    "ScoringError": _ERROR,
    "Sight": _MADE,
    "TextDetector": _PROTOCOL,
    "TokenizerMismatchError": _ERROR,
    "UnwatchableError": _ERROR,
    "Watched": _MADE,
    "WatchedLoop": "made by `watch`, which is called",
}
