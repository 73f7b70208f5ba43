/* Numbers for keys, by open addressing: of integers here, of strings in text_keys.h.

   Every table is at most half full and probed linearly. Misses of the cache overlap because rows are taken in blocks:
   first all places of a block are computed and asked for, then what they lead to, then the keys are compared. Places
   depend on a secret of the process, so that nobody can choose keys that all fall into one; what is returned does not. */
#ifndef SKNORM_KEYS_H
#define SKNORM_KEYS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "portable.h"

enum { KEYS_BLOCK = 128 };
enum { KEYS_OK = 0, KEYS_NO_MEMORY = 2 };

static uint64_t KEYS_SECRET = 0x9E3779B97F4A7C15u; /* odd: multiply-shift is universal over random odd factors */

SKNORM_INLINE uint64_t mixed(uint64_t x) {
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93u;
    x ^= x >> 29;
    return x * KEYS_SECRET;
}

/* Integers: a table of the numbers of keys, counted from 1, 0 where a slot is empty. */
typedef struct {
    int64_t *keys;   /* room for 2^(bits - 1) */
    uint32_t *slots; /* 2^bits of them */
    size_t n;
    unsigned bits;
} IntegerTable;

SKNORM_INLINE size_t slot_of(int64_t key, unsigned bits) { return mixed((uint64_t)key) >> (64 - bits); }

/* The slot that holds a key, or the empty one where it would go. */
SKNORM_INLINE size_t probe(const IntegerTable *t, int64_t key, size_t slot) {
    size_t mask = ((size_t)1 << t->bits) - 1;
    while (t->slots[slot] && t->keys[t->slots[slot] - 1] != key) slot = (slot + 1) & mask;
    return slot;
}

/* Ask for what a block of keys will need. */
SKNORM_INLINE void approach(const IntegerTable *t, const int64_t *keys, size_t n, size_t *slots) {
    for (size_t i = 0; i < n; i++) {
        slots[i] = slot_of(keys[i], t->bits);
        SKNORM_PREFETCH(t->slots + slots[i]);
    }
    for (size_t i = 0; i < n; i++) SKNORM_PREFETCH(t->keys + t->slots[slots[i]]);
}

static void find_integers(const IntegerTable *t, const int64_t *keys, size_t n, intptr_t *codes) {
    size_t slots[KEYS_BLOCK];
    for (size_t start = 0; start < n; start += KEYS_BLOCK) {
        size_t count = n - start < KEYS_BLOCK ? n - start : KEYS_BLOCK;
        approach(t, keys + start, count, slots);
        for (size_t i = 0; i < count; i++)
            codes[start + i] = (intptr_t)t->slots[probe(t, keys[start + i], slots[i])] - 1;
    }
}

/* Append keys, for which there must be room; return how many came before the first that was there already. */
static size_t add_integers(IntegerTable *t, const int64_t *keys, size_t n) {
    size_t slots[KEYS_BLOCK];
    for (size_t start = 0; start < n; start += KEYS_BLOCK) {
        size_t count = n - start < KEYS_BLOCK ? n - start : KEYS_BLOCK;
        approach(t, keys + start, count, slots);
        for (size_t i = 0; i < count; i++) {
            size_t slot = probe(t, keys[start + i], slots[i]);
            if (t->slots[slot]) return start + i;
            t->keys[t->n] = keys[start + i]; /* before the slot: another thread may be looking */
            t->slots[slot] = (uint32_t)++t->n;
        }
    }
    return n;
}

/* Forget the keys from n on. The last that came in leaves its slot as it was, so this is valid without tombstones. */
static void remove_integers(IntegerTable *t, size_t n) {
    size_t slots[KEYS_BLOCK];
    while (t->n > n) {
        size_t count = t->n - n < KEYS_BLOCK ? t->n - n : KEYS_BLOCK;
        approach(t, t->keys + t->n - count, count, slots);
        while (count--) {
            int64_t key = t->keys[--t->n];
            t->slots[probe(t, key, slots[count])] = 0;
        }
    }
}

/* Give the table more slots; the key whose number is `but` is none (-1: all are). */
static int grow_integers(IntegerTable *t, unsigned bits, intptr_t but) {
    if (bits > 32) return KEYS_NO_MEMORY; /* numbers of 32 bits */
    uint32_t *slots = calloc((size_t)1 << bits, sizeof(uint32_t));
    int64_t *keys = slots ? realloc(t->keys, sizeof(int64_t) << (bits - 1)) : NULL;
    if (!keys) {
        free(slots);
        return KEYS_NO_MEMORY;
    }
    free(t->slots);
    size_t n = t->n, first = but < 0 ? n : (size_t)but;
    t->keys = keys, t->slots = slots, t->bits = bits, t->n = 0;
    add_integers(t, keys, first);
    if (first < n) {
        t->n++;
        add_integers(t, keys + first + 1, n - first - 1);
    }
    return KEYS_OK;
}

/* A column of integers of any width; `absent` marks rows without a key, or is NULL. */
typedef struct {
    const char *data;
    ptrdiff_t stride;
    int kind; /* bytes, negative if unsigned; 64 bits are read as signed */
    const uint8_t *absent;
} IntegerColumn;

/* The numbers of the rows: 0, 1, … in order of first appearance; -1 for a missing key without a number of its own. */
typedef struct {
    intptr_t *codes;
    int own;          /* missing keys have a number */
    intptr_t missing; /* which, -1 as long as there is none */
    int64_t *keys;
    size_t n;
} Numbered;

#define KEYS_LOAD(type)                                                                                              \
    for (size_t i = 0; i < count; i++) room[i] = (int64_t)*(const type *)(data + (ptrdiff_t)i * c->stride);          \
    return room

SKNORM_INLINE const int64_t *load(const IntegerColumn *c, size_t start, size_t count, int64_t *room) {
    const char *data = c->data + (ptrdiff_t)start * c->stride;
    switch (c->kind) {
        case 1: KEYS_LOAD(int8_t);
        case 2: KEYS_LOAD(int16_t);
        case 4: KEYS_LOAD(int32_t);
        case -1: KEYS_LOAD(uint8_t);
        case -2: KEYS_LOAD(uint16_t);
        case -4: KEYS_LOAD(uint32_t);
        default:
            if (c->stride == (ptrdiff_t)sizeof(int64_t)) return (const int64_t *)data;
            KEYS_LOAD(int64_t);
    }
}

/* The smallest and the largest key; false without any. */
SKNORM_CLONES static int range_of(const IntegerColumn *c, size_t n, int64_t *least, int64_t *most) {
    int64_t room[KEYS_BLOCK], low = INT64_MAX, high = INT64_MIN;
    for (size_t start = 0; start < n; start += KEYS_BLOCK) {
        size_t count = n - start < KEYS_BLOCK ? n - start : KEYS_BLOCK;
        const int64_t *keys = load(c, start, count, room);
        if (!c->absent) {
            for (size_t i = 0; i < count; i++) low = keys[i] < low ? keys[i] : low, high = keys[i] > high ? keys[i] : high;
        } else {
            for (size_t i = 0; i < count; i++) {
                int64_t key = keys[i];
                if (c->absent[start + i]) continue;
                low = key < low ? key : low, high = key > high ? key : high;
            }
        }
    }
    *least = low, *most = high;
    return low <= high;
}

SKNORM_INLINE intptr_t number_missing(Numbered *out) {
    if (out->own && out->missing < 0) {
        out->missing = (intptr_t)out->n;
        out->keys[out->n++] = 0;
    }
    return out->missing;
}

/* By direct addressing: the keys lie in [low, low + width). */
static int number_dense(const IntegerColumn *c, size_t n, int64_t low, size_t width, Numbered *out) {
    int64_t room[KEYS_BLOCK];
    uint32_t *table = calloc(width, sizeof(uint32_t));
    out->keys = malloc(((width < n ? width : n) + 1) * sizeof(int64_t));
    if (!table || !out->keys) {
        free(table);
        return KEYS_NO_MEMORY;
    }
    for (size_t start = 0; start < n; start += KEYS_BLOCK) {
        size_t count = n - start < KEYS_BLOCK ? n - start : KEYS_BLOCK;
        const int64_t *keys = load(c, start, count, room);
        for (size_t i = 0; i < count; i++) {
            if (c->absent && c->absent[start + i]) {
                out->codes[start + i] = number_missing(out);
                continue;
            }
            uint32_t *number = table + ((uint64_t)keys[i] - (uint64_t)low);
            if (!*number) {
                out->keys[out->n] = keys[i];
                *number = (uint32_t)++out->n;
            }
            out->codes[start + i] = (intptr_t)*number - 1;
        }
    }
    free(table);
    return KEYS_OK;
}

static int number_hashed(const IntegerColumn *c, size_t n, Numbered *out) {
    int64_t room[KEYS_BLOCK];
    size_t slots[KEYS_BLOCK];
    IntegerTable t = {NULL, NULL, 0, 0};
    int status = grow_integers(&t, n < KEYS_BLOCK ? 8 : 12, -1);
    for (size_t start = 0; start < n && status == KEYS_OK; start += KEYS_BLOCK) {
        size_t count = n - start < KEYS_BLOCK ? n - start : KEYS_BLOCK;
        const int64_t *keys = load(c, start, count, room);
        if (t.n + count + 1 > (size_t)1 << (t.bits - 1)) {
            /* Where most rows bring a key, twice as many will not do for long. */
            unsigned more = t.n > start / 2 && (size_t)1 << t.bits < n ? 2 : 1;
            if ((status = grow_integers(&t, t.bits + more, out->missing)) != KEYS_OK) break;
        }
        approach(&t, keys, count, slots);
        for (size_t i = 0; i < count; i++) {
            if (c->absent && c->absent[start + i]) {
                out->keys = t.keys, out->n = t.n;
                out->codes[start + i] = number_missing(out);
                t.n = out->n;
                continue;
            }
            size_t slot = probe(&t, keys[i], slots[i]);
            if (!t.slots[slot]) {
                t.keys[t.n] = keys[i];
                t.slots[slot] = (uint32_t)++t.n;
            }
            out->codes[start + i] = (intptr_t)t.slots[slot] - 1;
        }
    }
    free(t.slots);
    out->keys = t.keys, out->n = t.n;
    return status;
}

/* Doubles as integers: 0 if one is no whole number of 53 bits, else 1; `absent` marks NaN, *any says whether there are. */
SKNORM_CLONES static int whole_numbers(const double *x, size_t n, int64_t *keys, uint8_t *absent, int *any) {
    int whole = 1, missing = 0;
    for (size_t start = 0; start < n && whole; start += KEYS_BLOCK) {
        size_t stop = n - start < KEYS_BLOCK ? n : start + KEYS_BLOCK;
        for (size_t i = start; i < stop; i++) {
            double value = fabs(x[i]) <= 9007199254740992.0 ? x[i] : 0.0;
            keys[i] = (int64_t)value;
            absent[i] = x[i] != x[i];
            missing |= absent[i];
            whole &= ((double)keys[i] == x[i]) | absent[i];
        }
    }
    *any = missing;
    return whole;
}

/* Doubles by their bits, one zero for both. */
SKNORM_CLONES static int bits_of(const double *x, size_t n, int64_t *keys, uint8_t *absent) {
    int missing = 0;
    for (size_t i = 0; i < n; i++) {
        double value = x[i] + 0.0;
        memcpy(keys + i, &value, sizeof(double));
        absent[i] = value != value;
        missing |= absent[i];
    }
    return missing;
}
#endif
