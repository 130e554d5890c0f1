"""Makes the plan of an experiment: what the journal keeps of the file, and the machine's resources."""

from __future__ import annotations

from lrtui.config import Experiment
from lrtui.config.describe import search_words
from lrtui.config.small_keys import budget_of
from lrtui.search import predicted_level
from lrtui.search.halving import cost
from lrtui.supervisor.allocation import allocate
from lrtui.sweep.events import Plan
from lrtui.workers.launcher import LOCAL


def resolve(experiment: Experiment, source: str, *, on_cpu: bool = False) -> Plan:
    """Return the plan of an experiment on this machine.

    Raises:
        MachineError: GPUs were asked for that are not there.

    """
    lent = None if on_cpu else allocate(experiment)
    space = experiment.space()
    return Plan(
        name=experiment.name,
        source=source,
        metric=experiment.metric,
        goal=experiment.goal,
        loss=experiment.loss,
        unit=experiment.unit,
        horizon=experiment.horizon,
        value=experiment.value,
        within=experiment.within,
        keep=experiment.keep,
        grace=experiment.grace_of(experiment.schedules[0] if experiment.schedules else ""),
        rungs=tuple(space.rungs.items()),
        planned=cost(space, experiment.strategy.count)[0] + predicted_level.cost(space),
        budget=budget_of(experiment.budget)[0],
        budget_seconds=budget_of(experiment.budget)[1],
        study=tuple(experiment.study.base.items()) if experiment.study else (),
        predict=tuple(experiment.study.predict.items()) if experiment.study else (),
        axes=experiment.axes,
        health=dict(experiment.health),
        parse=experiment.parse,
        position=experiment.position,
        first=experiment.first,
        strategy=search_words(experiment),
        builtin=experiment.command is None,
        dataset=experiment.dataset,
        model=experiment.model,
        seeds=experiment.seeds,
        gpus=lent.gpus if lent else 0,
        devices=lent.devices if lent else (),
        parallel=lent.parallel if lent else 1,
        threads=lent.threads if lent else 1,
        checkpoints=experiment.checkpoints,
        stops_at_until=experiment.stops_at_until,
        launcher=str(experiment.launcher.get("kind", LOCAL)),
        notes=experiment.notes + (lent.notes if lent else ()),
    )
