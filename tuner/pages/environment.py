"""How templates are read and filled in."""

from functools import cache
from importlib.resources import files

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined

from tuner.pages.charts import percent
from tuner.results.cells import plain, shown, text
from tuner.spec.arms import is_number


def make_environment(*loaders: BaseLoader) -> Environment:
    """Templates whose values are escaped, and in which a name that nothing defines is an error.

    Beside Jinja's own filters there are ``text``, a value as tables show it; ``shown``, a row of such values;
    ``percent``, a share of 1 as ``62.5%``; and ``plain``, a value as JSON carries it. ``x is figure`` says whether a
    value is a number with an order.

    Args:
        loaders: Where a page's own templates are; those of this package come after them.
    """
    environment = Environment(
        loader=ChoiceLoader([*loaders, PackageLoader("tuner.pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(text=text, percent=percent, plain=plain, shown=shown)
    environment.tests["figure"] = is_number
    environment.globals["stylesheet"] = stylesheet
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # a combination keeps the order of its settings
    return environment


@cache
def stylesheet() -> str:
    """The style sheet of every page: light, dark where the reader prefers it, and light again on paper."""
    return files("tuner.pages").joinpath("templates", "base.css").read_text("utf-8")
