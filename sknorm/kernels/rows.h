/* Rows of a table enter as lanes of doubles, padded to whole vectors, and leave again. */
#ifndef SKNORM_ROWS_H
#define SKNORM_ROWS_H

#include "cells.h"

/* Lanes are padded to a multiple of this; a block has so many rows, fewer where they are wide. */
enum { SKNORM_PAD = 4, SKNORM_STREAM_ROWS = 64, SKNORM_STREAM_BLOCK = 8192 };

static size_t padded(size_t d) { return (d + SKNORM_PAD - 1) / SKNORM_PAD * SKNORM_PAD; }

static size_t rows_of_block(size_t w) {
    size_t rows = SKNORM_STREAM_BLOCK / w;
    return rows > SKNORM_STREAM_ROWS ? SKNORM_STREAM_ROWS : rows < 1 ? 1 : rows;
}

#define T double
#define NAME(base) SKNORM_JOIN(base, f64)
#include "rows_loops.h"
#undef T
#undef NAME
#define T float
#define NAME(base) SKNORM_JOIN(base, f32)
#include "rows_loops.h"
#undef T
#undef NAME

#endif
