/* Narrow rows are folded: k rows of d columns are walked as one row of k * d lanes, so that they fill the registers. */
#ifndef SKNORM_FOLD_H
#define SKNORM_FOLD_H

#include "portable.h"

enum { SKNORM_LANES = 256 };

/* How many rows of d columns are folded into one: whole vectors of 8, 64 lanes or more. */
static size_t fold_of(size_t d) {
    for (size_t k = 1; k * d <= SKNORM_LANES; k++)
        if (k * d >= 64 && k * d % 8 == 0) return k;
    return d < 64 ? 128 / d : 1;
}

#endif
