"""What other kernels need of the rules."""

cdef extern from "rule.h" nogil:
    ctypedef struct C_Rule "Rule":
        int centre, scale, gained, bound
        double ddof, gain, shift, low, high

cdef class Rule:
    cdef C_Rule rule
    cdef int check_rows(self, int first, int last) except -1
