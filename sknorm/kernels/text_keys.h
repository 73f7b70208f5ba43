/* Numbers for strings, by open addressing: of bytes (NumPy's of one width, Arrow's with offsets), and of Python's own. */
#ifndef SKNORM_TEXT_KEYS_H
#define SKNORM_TEXT_KEYS_H

#include <Python.h>

#include "keys.h"

/* A slot holds the low half of a key's hash and its number counted from 1; 0 where it is empty. */
typedef struct {
    uint64_t *slots;  /* 2^bits of them */
    uint64_t *hashes; /* room for 2^(bits - 1); 0 for a key that is no text, which has a number but no slot */
    size_t n;
    unsigned bits;
} TextTable;

static void free_texts(TextTable *t) {
    free(t->slots);
    free(t->hashes);
}

SKNORM_INLINE uint64_t filled_slot(uint64_t hash, size_t number) { return hash << 32 | number; }

SKNORM_INLINE void append_text(TextTable *t, size_t slot, uint64_t hash) {
    t->hashes[t->n] = hash;
    t->slots[slot] = filled_slot(hash, ++t->n);
}

SKNORM_INLINE void append_other(TextTable *t) { t->hashes[t->n++] = 0; }

/* No hash is 0; the lower half tells keys apart within a slot. */
SKNORM_INLINE uint64_t finished(uint64_t hash) {
    hash ^= hash >> 32;
    return hash ? hash : 1;
}

/* Make room for so many more keys. */
static int make_room(TextTable *t, size_t more) {
    unsigned bits = t->bits ? t->bits : 6;
    while (t->n + more > (size_t)1 << (bits - 1)) bits++;
    if (bits == t->bits) return KEYS_OK;
    if (bits > 32) return KEYS_NO_MEMORY;
    uint64_t *slots = calloc((size_t)1 << bits, sizeof(uint64_t));
    uint64_t *hashes = slots ? realloc(t->hashes, sizeof(uint64_t) << (bits - 1)) : NULL;
    if (!hashes) {
        free(slots);
        return KEYS_NO_MEMORY;
    }
    free(t->slots);
    t->slots = slots, t->hashes = hashes, t->bits = bits;
    size_t mask = ((size_t)1 << bits) - 1;
    for (size_t i = 0; i < t->n; i++) {
        size_t slot = hashes[i] >> (64 - bits);
        if (!hashes[i]) continue;
        while (slots[slot]) slot = (slot + 1) & mask;
        slots[slot] = filled_slot(hashes[i], i + 1);
    }
    return KEYS_OK;
}

/* Strings of bytes: row i lies from offsets[i] to offsets[i + 1], or at i * size. */
typedef struct {
    const char *data;
    const void *offsets;
    int wide; /* offsets of 64 bits */
    size_t size;
    const uint8_t *absent;
} TextColumn;

SKNORM_INLINE const char *text_at(const TextColumn *c, size_t i, size_t *size) {
    if (!c->offsets) {
        *size = c->size;
        return c->data + i * c->size;
    }
    if (c->wide) {
        const int64_t *offsets = (const int64_t *)c->offsets + i;
        *size = (size_t)(offsets[1] - offsets[0]);
        return c->data + offsets[0];
    }
    const int32_t *offsets = (const int32_t *)c->offsets + i;
    *size = (size_t)(offsets[1] - offsets[0]);
    return c->data + offsets[0];
}

/* Both halves of the product, folded: with a secret factor nobody knows how a difference in a word comes out, and so no
   two words whose differences cancel each other. */
SKNORM_INLINE uint64_t folded(uint64_t a, uint64_t b) {
#if defined(__SIZEOF_INT128__)
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t low = (uint32_t)a * (uint64_t)(uint32_t)b, high = (a >> 32) * (b >> 32);
    uint64_t left = (a >> 32) * (uint32_t)b, right = (uint32_t)a * (b >> 32);
    uint64_t carry = (low >> 32) + (uint32_t)left + (uint32_t)right;
    return (low & 0xFFFFFFFFu | carry << 32) ^ (high + (left >> 32) + (right >> 32) + (carry >> 32));
#endif
}

SKNORM_INLINE uint64_t hash_of(const char *text, size_t size) {
    uint64_t hash = KEYS_SECRET ^ (size * 0x9E3779B97F4A7C15u), word;
    for (; size >= 8; text += 8, size -= 8) {
        memcpy(&word, text, 8);
        hash = folded(hash ^ word, KEYS_SECRET);
    }
    if (size) {
        word = 0;
        if (size >= 4) { /* two words that overlap: a copy of unknown length would be a call */
            uint32_t low, high;
            memcpy(&low, text, 4);
            memcpy(&high, text + size - 4, 4);
            word = (uint64_t)high << 32 | low;
        } else {
            word = (uint64_t)(unsigned char)text[0] << 16 | (uint64_t)(unsigned char)text[size >> 1] << 8 |
                   (unsigned char)text[size - 1];
        }
        hash = folded(hash ^ word, KEYS_SECRET);
    }
    return finished(mixed(hash));
}

/* As memcmp(a, b, size) == 0, without a call; what does not fill a word is covered by two that overlap. */
SKNORM_INLINE int same_bytes(const char *a, const char *b, size_t size) {
    uint64_t words[2];
    uint32_t halves[2];
    if (size >= 8) {
        for (size_t i = 0; i + 8 < size; i += 8) {
            memcpy(words, a + i, 8), memcpy(words + 1, b + i, 8);
            if (words[0] != words[1]) return 0;
        }
        memcpy(words, a + size - 8, 8), memcpy(words + 1, b + size - 8, 8);
        return words[0] == words[1];
    }
    if (size < 4) {
        for (size_t i = 0; i < size; i++)
            if (a[i] != b[i]) return 0;
        return 1;
    }
    memcpy(halves, a, 4), memcpy(halves + 1, b, 4);
    if (halves[0] != halves[1]) return 0;
    memcpy(halves, a + size - 4, 4), memcpy(halves + 1, b + size - 4, 4);
    return halves[0] == halves[1];
}

/* A key: its bytes where they come first. */
typedef struct {
    const char *text;
    size_t size;
} Text;

/* Number the rows; *first gets the row in which every key comes first. */
static int number_strings(const TextColumn *c, size_t n, Numbered *out, int64_t **first) {
    TextTable t = {NULL, NULL, 0, 0};
    Text rows[KEYS_BLOCK], *keys = NULL;
    uint64_t hashes[KEYS_BLOCK];
    size_t room = 0;
    int status = KEYS_OK;
    for (size_t start = 0; start < n; start += KEYS_BLOCK) {
        size_t count = n - start < KEYS_BLOCK ? n - start : KEYS_BLOCK;
        if ((status = make_room(&t, count + 1)) != KEYS_OK) break;
        size_t mask = ((size_t)1 << t.bits) - 1;
        if (room <= mask >> 1) {
            int64_t *more = realloc(*first, ((mask >> 1) + 1) * sizeof(int64_t));
            if (more) *first = more;
            Text *others = more ? realloc(keys, ((mask >> 1) + 1) * sizeof(Text)) : NULL;
            if (!others) {
                status = KEYS_NO_MEMORY;
                break;
            }
            keys = others, room = (mask >> 1) + 1;
        }
        for (size_t i = 0; i < count; i++) {
            rows[i].text = text_at(c, start + i, &rows[i].size);
            hashes[i] = c->absent && c->absent[start + i] ? 0 : hash_of(rows[i].text, rows[i].size);
            SKNORM_PREFETCH(t.slots + (hashes[i] >> (64 - t.bits)));
        }
        for (size_t i = 0; i < count; i++) SKNORM_PREFETCH(keys + (uint32_t)t.slots[hashes[i] >> (64 - t.bits)] - 1);
        for (size_t i = 0; i < count; i++) {
            uint32_t number = (uint32_t)t.slots[hashes[i] >> (64 - t.bits)];
            if (number) SKNORM_PREFETCH(keys[number - 1].text);
        }
        for (size_t i = 0; i < count; i++) {
            size_t slot = hashes[i] >> (64 - t.bits);
            if (c->absent && c->absent[start + i]) {
                if (out->own && out->missing < 0) {
                    out->missing = (intptr_t)t.n;
                    (*first)[t.n] = (int64_t)(start + i);
                    append_other(&t);
                }
                out->codes[start + i] = out->missing;
                continue;
            }
            for (; t.slots[slot]; slot = (slot + 1) & mask) {
                if ((uint32_t)(t.slots[slot] >> 32) != (uint32_t)hashes[i]) continue;
                const Text *key = keys + (uint32_t)t.slots[slot] - 1;
                if (key->size == rows[i].size && same_bytes(key->text, rows[i].text, key->size)) break;
            }
            if (!t.slots[slot]) {
                (*first)[t.n] = (int64_t)(start + i), keys[t.n] = rows[i];
                append_text(&t, slot, hashes[i]);
            }
            out->codes[start + i] = (intptr_t)(uint32_t)t.slots[slot] - 1;
        }
    }
    free(keys);
    free_texts(&t);
    out->n = t.n;
    return status;
}

/* Python's strings. They hash themselves with a secret of the process, and remember it. */

SKNORM_INLINE uint64_t hash_of_string(PyObject *text) {
    return finished((uint64_t)PyObject_Hash(text) * 0x9E3779B97F4A7C15u);
}

SKNORM_INLINE int same_strings(PyObject *a, PyObject *b) {
    if (a == b) return 1;
    Py_ssize_t length = PyUnicode_GET_LENGTH(a);
    if (length != PyUnicode_GET_LENGTH(b) || PyUnicode_KIND(a) != PyUnicode_KIND(b)) return 0;
    return !memcmp(PyUnicode_DATA(a), PyUnicode_DATA(b), (size_t)length * PyUnicode_KIND(a));
}

/* The slot of a string, or the empty one where it would go; `keys` is the list of all keys by their numbers. */
SKNORM_INLINE size_t probe_string(const TextTable *t, PyObject *keys, PyObject *text, uint64_t hash) {
    size_t mask = ((size_t)1 << t->bits) - 1, slot = hash >> (64 - t->bits);
    for (; t->slots[slot]; slot = (slot + 1) & mask)
        if ((uint32_t)(t->slots[slot] >> 32) == (uint32_t)hash &&
            same_strings(text, PyList_GET_ITEM(keys, (Py_ssize_t)(uint32_t)t->slots[slot] - 1)))
            break;
    return slot;
}

/* Ask for the key that a string is likely to be. */
SKNORM_INLINE void approach_string(const TextTable *t, PyObject *keys, uint64_t hash) {
    uint32_t number = (uint32_t)t->slots[hash >> (64 - t->bits)];
    if (number) SKNORM_PREFETCH(PyList_GET_ITEM(keys, (Py_ssize_t)number - 1));
}
#endif
