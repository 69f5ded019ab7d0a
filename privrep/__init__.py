"""Privacy-enhanced multimodal representations for emotion recognition, in JAX and Flax.

The public names are imported when they are first used: `import privrep` itself imports nothing.
"""

__version__ = "0.2.0"

_HOMES = {
    "AuditOptions": "privrep.auditing.options",
    "AuditReport": "privrep.auditing.report",
    "InferenceSettings": "privrep.types",
    "Sample": "privrep.types",
    "Utterance": "privrep.types",
    "Encoded": "privrep.deploy.encoder",
    "Encoder": "privrep.deploy.encoder",
    "Person": "privrep.deploy.person_file",
    "Recordings": "privrep.deploy.recordings",
    "audit": "privrep.auditing.run_audit",
    "compare": "privrep.auditing.compare",
    "gradient_reversal": "privrep.grl",
    "load": "privrep.deploy.encoder",
    "measure": "privrep.leakage.measurement",
    "plan": "privrep.auditing.plan",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
