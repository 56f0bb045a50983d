"""The plans that the ConfigMap asks for: the stack's own, and that of a measuring run."""

import time
from collections.abc import Callable, Mapping

from ..load_plan import LoadPlan, parse_load_plan

STACK, RUN = "plan.json", "run.json"


class DesiredPlans:
    """The newest valid plans, and what is wrong with newer ones.

    Attributes:
        stack: The stack's own plan, which repeats; None until there is one.
        run: A plan to run once; None if there is none.
        added: Monotonic time at which `run` was added, as far as the API server tells.
        problem: Why newer plans are not in force; empty if they are.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.stack: LoadPlan | None = None
        self.run: LoadPlan | None = None
        self.added = 0.0
        self.problem = ""

    def update(self, data: Mapping[str, str], ages: Mapping[str, float]) -> None:
        """Take the ConfigMap's data and its keys' ages; an invalid plan leaves the last valid one in force."""
        problems = []
        try:
            self.stack = _parse(data, STACK)
        except ValueError as error:
            problems.append(f"{STACK} in the load ConfigMap is invalid: {error}")
        try:
            run = _parse(data, RUN) if RUN in data else None
            if run and not (self.run and self.run.run == run.run):
                self.added = self._clock() - ages.get(RUN, 0.0)
            self.run = run
        except ValueError as error:
            problems.append(f"{RUN} in the load ConfigMap is invalid: {error}")
        self.problem = " ".join(problems)

    def mark_stale(self, reason: str) -> None:
        """Note that the ConfigMap could not be read; the last plans stay in force."""
        self.problem = f"{reason}; the last plan stays in force" if self.stack else f"{reason}; there is no plan yet"


def _parse(data: Mapping[str, str], key: str) -> LoadPlan:
    if key not in data:
        raise ValueError("it is missing.")
    plan = parse_load_plan(data[key])
    if bool(plan.run) != (key == RUN):
        raise ValueError(f"its run must {'not ' if key == RUN else ''}be empty, but is {plan.run!r}.")
    return plan
