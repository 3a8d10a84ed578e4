/* SPDX-License-Identifier: Apache-2.0
 * What every part of vkinfer stands on: errors, memory, hashing, files, time. Depends on libc alone. */
#ifndef VKB_BASE_H
#define VKB_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vkinfer/vkinfer.h"

#if defined(__GNUC__)
#define VKB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define VKB_PRINTF(fmt, args)
#endif

#define VKB_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define VKB_TRY(call)                                                                                        \
    do {                                                                                                     \
        vki_status vkb_try_status = (call);                                                                  \
        if (vkb_try_status != VKI_OK) return vkb_try_status;                                                 \
    } while (0)

/* ---- error.c ---- */
/* Fills *err (if any) and returns `code`, so that callers write: return vkb_fail(err, VKI_E_ARG, "..."). The
 * text says what is wrong, with the value, and what to do. */
vki_status vkb_fail(vki_error *err, vki_status code, const char *format, ...) VKB_PRINTF(3, 4);
vki_status vkb_fail_node(vki_error *err, vki_status code, const char *node, const char *op,
                         const char *format, ...) VKB_PRINTF(5, 6);
vki_status vkb_nomem(vki_error *err, uint64_t bytes); /* VKI_E_NOMEM with the figure */

/* ---- alloc.c: all memory of the library comes from here ---- */
extern const vki_allocator vkb_libc_allocator;
void *vkb_alloc(const vki_allocator *a,
                size_t bytes); /* 64-byte aligned, not cleared; NULL if exhausted; bytes 0 is fine */
void *vkb_calloc(const vki_allocator *a, size_t count,
                 size_t size);                    /* cleared; NULL too if count*size overflows */
void vkb_free(const vki_allocator *a, void *ptr); /* NULL is fine */
/* Memory that is about to be written as a whole gets its pages in one call rather than by a fault each. */
void vkb_prefault(void *p, size_t bytes);
/* Grows *array (elements of `size`) to hold `need`, doubling; *capacity is updated. false if exhausted (array
 * unchanged). */
bool vkb_grow(const vki_allocator *a, void **array, int *capacity, int need, size_t size);
/* vkb_grow for a typed pointer: if (!VKB_GROW(a, list->items, list->capacity, list->count + 1)) return NOMEM;
 */
#define VKB_GROW(a, array, capacity, need)                                                                   \
    vkb_grow((a), (void **)&(array), &(capacity), (need), sizeof(*(array)))

/* ---- arena.c: many small objects, freed at once ---- */
typedef struct vkb_arena {
    const vki_allocator *allocator;
    struct vkb_arena_block *head;
    size_t total; /* bytes held */
} vkb_arena;
void vkb_arena_init(vkb_arena *arena, const vki_allocator *a);
void *vkb_arena_alloc(vkb_arena *arena,
                      size_t bytes); /* cleared, 16-byte aligned (64 from 1 KiB on); NULL if exhausted */
void *vkb_arena_alloc_raw(vkb_arena *arena, size_t bytes);   /* the same, not cleared */
bool vkb_arena_holds(const vkb_arena *arena, const void *p); /* p came from this arena */
char *vkb_arena_strdup(vkb_arena *arena, const char *s);
char *vkb_arena_strndup(vkb_arena *arena, const char *s, size_t n);
char *vkb_arena_printf(vkb_arena *arena, const char *format, ...) VKB_PRINTF(2, 3);
void vkb_arena_free(vkb_arena *arena);

/* ---- checked arithmetic (sizes that come from files) ---- */
static inline bool vkb_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    if (b && a > UINT64_MAX / b) return false;
    *out = a * b;
    return true;
}
static inline uint64_t vkb_round_up(uint64_t v, uint64_t multiple)
{
    return (v + multiple - 1) / multiple * multiple;
}
static inline int64_t vkb_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}
static inline int64_t vkb_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t vkb_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- hash.c ---- */
uint64_t vkb_hash(const void *data, size_t bytes, uint64_t seed); /* XXH3, 64 bits */

/* ---- lzma.c ---- */
/* Expands LZMA2 up to its end mark (what follows is not read) to exactly dst_bytes; false if it is damaged or
 * of another length. Takes 16 KB of stack. */
bool vkb_expand_lzma2(void *dst, size_t dst_bytes, const void *src, size_t src_bytes);

/* ---- half.c: IEEE binary16 and bfloat16 <-> binary32, round to nearest even, denormals kept ---- */
float vkb_f16_to_f32(uint16_t h);
uint16_t vkb_f32_to_f16(float f);
float vkb_bf16_to_f32(uint16_t h); /* the upper half of a float's bits */
uint16_t vkb_f32_to_bf16(float f);
void vkb_f16_to_f32_n(float *dst, const uint16_t *src, size_t n);
void vkb_f32_to_f16_n(uint16_t *dst, const float *src, size_t n);

/* ---- file.c ---- */
typedef struct vkb_file {
    const uint8_t *data; /* page aligned; NULL for an empty file */
    size_t bytes;
} vkb_file;
vki_status vkb_file_map(vkb_file *file, const char *path, vki_error *err); /* read only; VKI_E_IO */
void vkb_file_unmap(vkb_file *file);
/* Pages of the mapped file that lie wholly within these bytes leave memory, and are read again when they are
 * used. Bytes outside of the file are left alone. */
void vkb_file_release(const vkb_file *file, const void *data, uint64_t bytes);
/* Writes beside `path` and renames, so that readers see the old file or the new one; what is there and is no
 * regular file (a device, a pipe, a link) is written to as it is. VKI_E_IO. */
typedef struct vkb_span {
    const void *data;
    size_t bytes;
} vkb_span;
vki_status vkb_file_write(const char *path, const vkb_span *parts, int count, vki_error *err);

/* ---- clock.c ---- */
double vkb_now_ms(void); /* monotonic */

#endif
