"""The plans that the ConfigMap holds: the stack's own, and a run's while somebody measures."""

from collections.abc import Mapping

from ..load_plan import LoadPlan, parse_load_plan

STACK, RUN = "plan.json", "run.json"


class Plans:
    """The newest good plans, and what is wrong with those that came after them.

    Attributes:
        stack: The stack's own plan, which repeats; None before the first one came.
        run: A plan that is done once; None where there is none.
        problem: Why the newest plans are not these, or nothing.
    """

    def __init__(self) -> None:
        self.stack: LoadPlan | None = None
        self.run: LoadPlan | None = None
        self.problem = ""

    def update(self, data: Mapping[str, str]) -> None:
        """Take the ConfigMap's data; a broken plan leaves the last good one."""
        problems = []
        try:
            self.stack = _parsed(data, STACK)
        except ValueError as error:
            problems.append(f"{STACK} of the load's ConfigMap can't be followed: {error}")
        try:
            self.run = _parsed(data, RUN) if RUN in data else None
        except ValueError as error:
            problems.append(f"{RUN} of the load's ConfigMap can't be followed: {error}")
        self.problem = " ".join(problems)

    def out_of_date(self, why: str) -> None:
        """The ConfigMap couldn't be read; the last plans stay."""
        self.problem = f"{why}; the last plan stays" if self.stack else f"{why}; there is no plan yet"


def _parsed(data: Mapping[str, str], key: str) -> LoadPlan:
    if key not in data:
        raise ValueError("it is not there.")
    plan = parse_load_plan(data[key])
    if bool(plan.run) != (key == RUN):
        raise ValueError(f"run is {plan.run!r} there.")
    return plan
