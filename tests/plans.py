"""The plan of a sweep in tests: a test names only the fields that it is about."""

import msgspec

from lrtui.sweep.events import Plan


def plan_of(**fields: object) -> Plan:
    """Return a plan of ten epochs, ranked by val_acc, with these fields changed."""
    usual = Plan(
        name="x",
        source="x.toml",
        metric="val_acc",
        goal="max",
        loss="train_loss",
        unit="epoch",
        horizon=10.0,
    )
    return msgspec.structs.replace(usual, **fields)
