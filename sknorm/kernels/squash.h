/* The soft clip and its inverse. */
#ifndef SKNORM_SQUASH_H
#define SKNORM_SQUASH_H

#include <math.h>

#include "portable.h"

/* Written so that no square overflows: v = 1e200 gives the bound. */
SKNORM_INLINE double squash(double v, double bound) {
    int inside = fabs(v) <= bound;
    double ratio = inside ? v / bound : bound / v, top = inside ? v : copysign(bound, v);
    return v == v ? top / sqrt(1.0 + ratio * ratio) : v;
}

SKNORM_INLINE double unsquash(double v, double bound) {
    double ratio = v / bound;
    return fabs(ratio) >= 1.0 ? copysign(INFINITY, v) : v / sqrt((1.0 - ratio) * (1.0 + ratio));
}

#endif
