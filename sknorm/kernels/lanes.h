/* The cells of a row of columns, several at once: merged, and learned from a row. */
#ifndef SKNORM_LANES_H
#define SKNORM_LANES_H

#include "rule.h"

/* Merge cell b into cell a as merge_cell does, without a branch, so that the compiler takes several lanes at once. An
   empty a takes the mean of b first, from which b then differs by nothing; a b of weight 0 changes nothing. Where the
   difference of the means overflows it is cut, and m2, which is infinite then, tells. */
SKNORM_INLINE void merge_lane(double n, double mean, double low, double m2, double n_b, double mean_b, double low_b,
                              double m2_b, double *mean_out, double *low_out, double *m2_out) {
    double total = n + n_b, share = n_b / (total > 0 ? total : 1), delta, error, step;
    mean = n > 0 ? mean : mean_b;
    low = n > 0 ? low : low_b;
    two_sum(mean_b, -mean, &delta, &error);
    delta += error + (low_b - low);
    delta = delta < DBL_MAX ? delta : DBL_MAX;
    delta = delta > -DBL_MAX ? delta : -DBL_MAX;
    two_sum(mean, delta * share, &step, &error);
    two_sum(step, error + low, mean_out, low_out);
    *m2_out = m2 + (m2_b + delta * (n * share) * delta);
}

/* out = a merged with b, cell by cell; out may be a. */
SKNORM_INLINE void merge_rows(Fields out, Fields a, Fields b, size_t w, int moments, int extremes) {
    if (moments) {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) {
            double mean, low, m2;
            merge_lane(a.n[j], a.mean[j], a.low[j], a.m2[j], b.n[j], b.mean[j], b.low[j], b.m2[j], &mean, &low, &m2);
            out.mean[j] = mean, out.low[j] = low, out.m2[j] = m2;
        }
    }
    if (extremes) {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) {
            out.min[j] = LESSER(b.min[j], a.min[j]);
            out.max[j] = GREATER(b.max[j], a.max[j]);
        }
    }
    SKNORM_INDEPENDENT
    for (size_t j = 0; j < w; j++) out.n[j] = a.n[j] + b.n[j];
}

/* Learn one row; weight[j] is what the value of lane j counts. */
SKNORM_INLINE void learn_row(Fields f, size_t w, const double *SKNORM_RESTRICT x, const double *SKNORM_RESTRICT weight,
                             int moments, int extremes) {
    double *mean = f.mean, *low = f.low, *m2 = f.m2, *n = f.n, *min = f.min, *max = f.max;
    if (moments) {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) {
            double n_b = x[j] == x[j] ? weight[j] : 0, v = x[j] == x[j] ? x[j] : mean[j], a, b, c;
            merge_lane(n[j], mean[j], low[j], m2[j], n_b, v, 0, 0, &a, &b, &c);
            mean[j] = a, low[j] = b, m2[j] = c;
        }
    }
    if (extremes) {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) {
            min[j] = LESSER(x[j], min[j]);
            max[j] = GREATER(x[j], max[j]);
        }
    }
    SKNORM_INDEPENDENT
    for (size_t j = 0; j < w; j++) n[j] += x[j] == x[j] ? weight[j] : 0;
}

/* derive, scale_row and learn_row of a z-score in one loop, where nothing is forgotten and every row weighs 1: what one
   of them makes stays in registers for the next, which takes 5.1 ns a value where the three take 6.1. */
SKNORM_INLINE void standardize_row(double ddof, Fields f, size_t w, const double *SKNORM_RESTRICT x,
                                   double *SKNORM_RESTRICT y) {
    double *mean = f.mean, *low = f.low, *m2 = f.m2, *n = f.n;
    SKNORM_INDEPENDENT
    for (size_t j = 0; j < w; j++) {
        double v = x[j], n_a = n[j], n_b = v == v ? 1 : 0, deviation = deviation_of(n_a, mean[j], m2[j], ddof, 1), a, b, c;
        y[j] = (v - (n_a > 0 ? mean[j] : v)) / (n_a > 0 ? deviation : 1);
        merge_lane(n_a, mean[j], low[j], m2[j], n_b, v == v ? v : mean[j], 0, 0, &a, &b, &c);
        mean[j] = a, low[j] = b, m2[j] = c, n[j] = n_a + n_b;
    }
}

SKNORM_INLINE int is_z_score(const Rule *rule) {
    return rule->centre == CENTRE_MEAN && rule->scale == SCALE_STD && !rule->gained && rule->bound == BOUND_NONE;
}

/* Whether what overflows may be finite again later, so that every row must be looked at: a window drops rows, and
   m2 / (n - ddof) is large where the difference is a fraction. Else it stays so until the end, where the caller looks. */
SKNORM_INLINE int may_recover(const Rule *rule, double half_life, size_t window, const double *weights) {
    return window || weights || rule->ddof != floor(rule->ddof) || (half_life > 0 && rule->ddof > 0);
}

/* Make lanes NaN whose range or variance, as the rule reads them, is not finite. */
SKNORM_INLINE void poison_row(const Rule *rule, Fields f, size_t w, double *SKNORM_RESTRICT poison, int moments) {
    double ddof = rule->ddof;
    if (rule->scale == SCALE_RANGE) {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) poison[j] += f.n[j] > 0 ? (f.max[j] - f.min[j]) * 0 : 0;
    } else if (moments) {
        SKNORM_INDEPENDENT
        for (size_t j = 0; j < w; j++) poison[j] += f.m2[j] / (f.n[j] > ddof ? f.n[j] - ddof : 1) * 0;
    }
}

SKNORM_INLINE int poisoned(const double *poison, size_t w) {
    for (size_t j = 0; j < w; j++)
        if (poison[j] != poison[j]) return 1;
    return 0;
}

#endif
