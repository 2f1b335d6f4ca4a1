"""Human trust (Section 4.2): people say which map describes the object best, and how reliable each map is.

A *study* is a folder with everything that raters are shown, frozen before the first of them begins: a *trial* is an
image with one map of each *condition* (a network or a method), and a *sheet* is what one rater sees: all trials in an
order, with the *sides* that the maps stand on. ``create`` writes the study, ``serve`` asks raters, ``report`` says
what they answered. It measures preference: what people like to see, not what the network looked at.
"""
