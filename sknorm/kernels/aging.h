/* Forgetting by half-life: the weight of a value doubles every half_life values, which is as if those before it lost half
   of theirs. Nothing old is touched then, so nothing is rounded; when the weight reaches 2, all are divided by it. */
#ifndef SKNORM_AGING_H
#define SKNORM_AGING_H

#include <math.h>

#include "portable.h"

/* The age of w lanes: how many values ago the weight of the newest was 1 (-1 before the first), that weight, and 1 / it. */
typedef struct {
    double *phase, *growth, *shrink;
} Age;

/* The weight of the newest value in a lane, from its phase; 1 before the first. */
static void weigh_lane(Age age, double half_life, size_t j) {
    age.growth[j] = age.phase[j] > 0 ? exp2(age.phase[j] / half_life) : 1;
    age.shrink[j] = 1 / age.growth[j];
}

/* The phase of the next value; all values so far are to be multiplied by *factor, a power of two. */
static double next_phase(double phase, double half_life, double *factor) {
    *factor = 1;
    phase += 1;
    if (phase < half_life) return phase;
    double rest = fmod(phase, half_life), turns = rint((phase - rest) / half_life);
    *factor = turns < 1100 ? ldexp(1, -(int)turns) : 0;
    return rest;
}

/* Let the values of a row age those before them in their lanes; returns whether all lanes are of one phase, if they were
   before. */
SKNORM_INLINE int age_lanes(Age age, double half_life, const double *x, size_t d, size_t w, double *n, double *m2,
                            int uniform) {
    double factor;
    size_t missing = 0, like = w;
    for (size_t j = 0; j < d; j++) missing += x[j] != x[j];
    if (uniform && !missing) { /* all lanes at once, the padding too */
        double phase = next_phase(age.phase[0], half_life, &factor);
        double growth = exp2(phase / half_life), shrink = 1 / growth;
        for (size_t j = 0; j < w; j++) age.phase[j] = phase, age.growth[j] = growth, age.shrink[j] = shrink;
        if (factor != 1)
            for (size_t j = 0; j < w; j++) n[j] *= factor, m2[j] *= factor;
        return 1;
    }
    for (size_t j = 0; j < d; j++) {
        if (x[j] != x[j]) continue;
        age.phase[j] = next_phase(age.phase[j], half_life, &factor);
        n[j] *= factor, m2[j] *= factor;
        if (like < j && age.phase[like] == age.phase[j])
            age.growth[j] = age.growth[like], age.shrink[j] = age.shrink[like];
        else
            weigh_lane(age, half_life, j);
        like = j;
    }
    return 0;
}

/* Whether all lanes are of one phase. */
SKNORM_INLINE int one_phase(const double *phase, size_t d) {
    int same = 1;
    for (size_t j = 1; j < d; j++) same &= phase[j] == phase[0];
    return same;
}

#endif
