/* What a scaler makes of counts, moments and extremes: the centre and the scale of every cell. */
#ifndef SKNORM_RULE_H
#define SKNORM_RULE_H

#include "cells.h"
#include "squash.h"

enum { CENTRE_NONE, CENTRE_MEAN, CENTRE_MIN };
enum { SCALE_NONE, SCALE_STD, SCALE_RANGE, SCALE_MAX_ABS, SCALE_POWER };
enum { BOUND_NONE, BOUND_HARD, BOUND_SOFT };
/* scikit-learn's bound for a constant grows with the number of samples, as its variance loses digits; ours does not, and
   from 3,000,000 rows on 1.7e10 +- 5 would pass for a constant. */
#define MOST_ROWS_FOR_CONSTANT 10000.0

/* The powers of ten from 10^LEAST_POWER on, filled by the module. */
enum { LEAST_POWER = -323, MOST_POWER = 308 };
static double POWERS[MOST_POWER - LEAST_POWER + 1];

/* What a scaler makes of a statistic: y = (x - centre) / scale * gain + shift, then a bound. */
typedef struct {
    int centre, scale, gained, bound;
    double ddof, gain, shift, low, high;
} Rule;

/* The smallest j with value / 10^j < 1: value / 10^j rounds to less than 1 just where value < 10^j. */
static int exponent_of(double value) {
    int binary, j;
    if (!(value > 0)) return 0;
    frexp(value, &binary);
    j = (int)floor((binary - 1) * 0.30102999566398120); /* 10^j <= 2^(binary - 1) <= value, or nearly */
    if (j < LEAST_POWER) j = LEAST_POWER;
    while (j < MOST_POWER && POWERS[j - LEAST_POWER] <= value) j++;
    while (j > LEAST_POWER && POWERS[j - 1 - LEAST_POWER] > value) j--;
    return j;
}

/* scikit-learn's rule for a constant, where the scale is no standard deviation. */
#define IS_CONSTANT(scale) ((scale) < 10 * DBL_EPSILON)

/* The standard deviation; `constant` for a constant and where ddof leaves no freedom. */
SKNORM_INLINE double deviation_of(double n, double mean, double m2, double ddof, double constant) {
    double freedom = n - ddof, variance = m2 / (freedom > 0 ? freedom : 1);
    variance = freedom > 0 ? variance : 0;
    double bound = DBL_EPSILON * LESSER(n, MOST_ROWS_FOR_CONSTANT), off = bound * mean, root = sqrt(variance);
    return variance <= bound * variance + off * off ? constant : root;
}

/* Where the fields of a row of cells lie. */
typedef struct {
    double *mean, *low, *m2, *n, *min, *max;
} Fields;

SKNORM_INLINE Fields fields_of(double *cells, size_t pitch) {
    Fields f = {cells + ROW_MEAN * pitch, cells + ROW_LOW * pitch, cells + ROW_M2 * pitch,
                cells + ROW_COUNT * pitch, cells + ROW_MIN * pitch, cells + ROW_MAX * pitch};
    return f;
}

/* Centre and scale of w cells; NaN without a value, and the scale of a constant is `constant`: 1 to divide by. */
SKNORM_INLINE void derive(const Rule *rule, Fields f, size_t w, double constant, double *SKNORM_RESTRICT centre,
                          double *SKNORM_RESTRICT scale) {
    const double *mean = f.mean, *m2 = f.m2, *n = f.n, *min = f.min, *max = f.max;
    switch (rule->centre) {
    case CENTRE_MEAN:
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) centre[j] = n[j] > 0 ? mean[j] : NAN;
        break;
    case CENTRE_MIN:
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) centre[j] = n[j] > 0 ? min[j] : NAN;
        break;
    default:
        for (size_t j = 0; j < w; j++) centre[j] = 0;
    }
    switch (rule->scale) {
    case SCALE_STD:
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) {
            double deviation = deviation_of(n[j], mean[j], m2[j], rule->ddof, constant);
            scale[j] = n[j] > 0 ? deviation : NAN;
        }
        break;
    case SCALE_RANGE:
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) {
            double span = max[j] - min[j];
            scale[j] = n[j] > 0 ? (IS_CONSTANT(span) ? constant : span) : NAN;
        }
        break;
    case SCALE_MAX_ABS:
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) {
            double most = GREATER(-min[j], max[j]);
            scale[j] = n[j] > 0 ? (IS_CONSTANT(most) ? constant : most) : NAN;
        }
        break;
    case SCALE_POWER:
        for (size_t j = 0; j < w; j++)
            scale[j] = POWERS[(n[j] > 0 ? exponent_of(GREATER(-min[j], max[j])) : 0) - LEAST_POWER];
        break;
    default:
        for (size_t j = 0; j < w; j++) scale[j] = 1;
    }
}

/* Scale a row; a lane without a value so far gives what a constant would: 0 before gain and shift where the rule
   centres, x otherwise. */
SKNORM_INLINE void scale_row(const Rule *rule, const double *SKNORM_RESTRICT x, double *SKNORM_RESTRICT y, size_t w,
                             const double *SKNORM_RESTRICT n, const double *SKNORM_RESTRICT centre,
                             const double *SKNORM_RESTRICT scale) {
    int centred = rule->centre != CENTRE_NONE;
    SKNORM_INDEPENDENT
    for (size_t j = 0; j < w; j++) {
        double v = x[j], c = n[j] > 0 ? centre[j] : centred ? v : 0, s = n[j] > 0 ? scale[j] : 1;
        y[j] = (v - c) / s;
    }
    if (rule->gained) {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) y[j] = y[j] * rule->gain + rule->shift;
    }
    if (rule->bound == BOUND_HARD) {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) {
            double v = y[j];
            v = rule->low > v ? rule->low : v;
            y[j] = rule->high < v ? rule->high : v;
        }
    }
    if (rule->bound == BOUND_SOFT) {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) y[j] = squash(y[j], rule->high);
    }
}

/* The same for a whole table. */
SKNORM_CLONES_256 void derive_table(const Rule *rule, Fields f, size_t w, double constant, double *centre,
                                    double *scale) {
    derive(rule, f, w, constant, centre, scale);
}

#endif
