/* What differs between compilers, in one place. */
#ifndef SKNORM_PORTABLE_H
#define SKNORM_PORTABLE_H

#include <stddef.h>
#include <stdint.h>

/* SKNORM_CLONES compiles a function once for each instruction set and picks one at load time, so that one wheel uses
   AVX2 or AVX-512 where present. It needs ifunc (glibc); elsewhere the plain C is compiled once. SKNORM_CLONES_256 leaves
   AVX-512 out, for loops that read several rows at once: 64-byte loads that cross cache lines, as those of a NumPy array
   do, took 4.2 to 7.4 ms for 80 MB on Zen 4 where 32-byte loads took 2.9. */
#if defined(__has_attribute)
#if __has_attribute(target_clones) && defined(__x86_64__) && defined(__GLIBC__)
#define SKNORM_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#define SKNORM_CLONES_256 __attribute__((target_clones("avx2", "default")))
#endif
#endif
#ifndef SKNORM_CLONES
#define SKNORM_CLONES
#define SKNORM_CLONES_256
#endif

#if defined(_MSC_VER)
#pragma fp_contract(off) /* as -ffp-contract=off: every processor gives the same bits */
#define SKNORM_INLINE static __forceinline
#define SKNORM_RESTRICT __restrict
#else
#define SKNORM_INLINE static inline __attribute__((always_inline))
#define SKNORM_RESTRICT restrict
#endif

/* Before a loop: its rounds do not depend on each other, although the compiler cannot see that the arrays lie apart. */
#if defined(__clang__)
#define SKNORM_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define SKNORM_INDEPENDENT _Pragma("GCC ivdep")
#elif defined(_MSC_VER)
#define SKNORM_INDEPENDENT __pragma(loop(ivdep))
#else
#define SKNORM_INDEPENDENT
#endif

/* Before a loop of eight rounds that each have a sum of their own: written out, they become lanes of vector registers. */
#if defined(__clang__)
#define SKNORM_UNROLL_8 _Pragma("clang loop unroll_count(8)")
#elif defined(__GNUC__)
#define SKNORM_UNROLL_8 _Pragma("GCC unroll 8")
#else
#define SKNORM_UNROLL_8
#endif

/* Ask for the cache line of an address in the second-level cache; any address will do. SKNORM_AHEAD is how many bytes
   before it is needed: 4 kB were too few, from 20 to 160 kB it made no difference. */
enum { SKNORM_AHEAD = 40960 };
#if defined(__GNUC__) || defined(__clang__)
#define SKNORM_PREFETCH(address) __builtin_prefetch(address, 0, 2)
#define SKNORM_PREFETCH_FIRST(address) __builtin_prefetch(address, 0, 3) /* in the first-level cache */
#define SKNORM_PREFETCH_WRITE(address) __builtin_prefetch(address, 1, 3)
#else
#define SKNORM_PREFETCH(address) ((void)(address))
#define SKNORM_PREFETCH_FIRST(address) ((void)(address))
#define SKNORM_PREFETCH_WRITE(address) ((void)(address))
#endif

#define SKNORM_JOIN_(a, b) a##_##b
#define SKNORM_JOIN(a, b) SKNORM_JOIN_(a, b)

#endif
