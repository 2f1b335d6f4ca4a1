"""Pages of HTML without a script: the templates, the style sheet and the pictures that reports and the service share.

:mod:`tuner.pages.charts` says what a picture shows. The macros of ``charts.html`` and ``tables.html`` draw it, and a
page extends ``base.html``::

    from tuner.pages import make_environment

    page = make_environment(PackageLoader("experiments")).get_template("mine.html").render(...)
"""

from tuner.pages.environment import make_environment, stylesheet

__all__ = ["make_environment", "stylesheet"]
