"""The rules: one family of operators a file, one table (:func:`register_rule`) for all."""

from tracer.rules.base import Rule, Walk, register_rule, rule, rule_of, supported_operators
from tracer.rules.blending import BilinearUpsampling, Blend, Reduction
from tracer.rules.branches import Addition, Concatenation, Gate
from tracer.rules.convolution import Convolution
from tracer.rules.elementwise import Elementwise
from tracer.rules.linear import Linear
from tracer.rules.merging import Assembly, Copy, Maximum
from tracer.rules.pooling import AveragePooling, MaxPooling
from tracer.rules.rearrange import NearestUpsampling, Rearrange

__all__ = [
    "Addition",
    "Assembly",
    "AveragePooling",
    "BilinearUpsampling",
    "Blend",
    "Concatenation",
    "Convolution",
    "Copy",
    "Elementwise",
    "Gate",
    "Linear",
    "MaxPooling",
    "Maximum",
    "NearestUpsampling",
    "Rearrange",
    "Reduction",
    "Rule",
    "Walk",
    "register_rule",
    "rule",
    "rule_of",
    "supported_operators",
]
