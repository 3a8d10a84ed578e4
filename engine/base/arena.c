/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <stdio.h>
#include <string.h>

typedef struct vkb_arena_block {
    struct vkb_arena_block *next;
    size_t used, size; /* of the bytes behind the header */
} vkb_arena_block;

enum { HEADER = 64, BLOCK = 64 * 1024 - HEADER, LARGE = 1024 };

void vkb_arena_init(vkb_arena *arena, const vki_allocator *a)
{
    arena->allocator = a;
    arena->head = NULL;
    arena->total = 0;
}

static vkb_arena_block *add_block(vkb_arena *arena, size_t bytes)
{
    size_t size = bytes > BLOCK ? bytes : BLOCK;
    if (size > SIZE_MAX - HEADER) return NULL;
    vkb_arena_block *block = vkb_alloc(arena->allocator, HEADER + size);
    if (!block) return NULL;
    *block = (vkb_arena_block){NULL, 0, size};
    arena->total += HEADER + size;
    if (bytes > BLOCK / 4 && arena->head) { /* keep the head's free space in use */
        block->next = arena->head->next;
        arena->head->next = block;
    } else {
        block->next = arena->head;
        arena->head = block;
    }
    return block;
}

void *vkb_arena_alloc_raw(vkb_arena *arena, size_t bytes)
{
    size_t align = bytes >= LARGE ? 64 : 16;
    vkb_arena_block *block = arena->head;
    size_t at = block ? (size_t)vkb_round_up(block->used, align) : 0;
    if (!block || at > block->size || bytes > block->size - at) {
        block = add_block(arena, bytes);
        at = 0;
    }
    if (!block) return NULL;
    block->used = at + bytes;
    return (char *)block + HEADER + at;
}

void *vkb_arena_alloc(vkb_arena *arena, size_t bytes)
{
    void *p = vkb_arena_alloc_raw(arena, bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

bool vkb_arena_holds(const vkb_arena *arena, const void *p)
{
    for (const vkb_arena_block *b = arena->head; b; b = b->next) {
        uintptr_t start = (uintptr_t)b + HEADER;
        if ((uintptr_t)p >= start && (uintptr_t)p - start < b->used) return true;
    }
    return false;
}

char *vkb_arena_strndup(vkb_arena *arena, const char *s, size_t n)
{
    char *copy = vkb_arena_alloc(arena, n + 1);
    if (copy) memcpy(copy, s, n);
    return copy;
}

char *vkb_arena_strdup(vkb_arena *arena, const char *s)
{
    return vkb_arena_strndup(arena, s, strlen(s));
}

char *vkb_arena_printf(vkb_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = n < 0 ? NULL : vkb_arena_alloc(arena, (size_t)n + 1);
    if (!text) return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}

void vkb_arena_free(vkb_arena *arena)
{
    for (vkb_arena_block *block = arena->head, *next; block; block = next) {
        next = block->next;
        vkb_free(arena->allocator, block);
    }
    arena->head = NULL;
    arena->total = 0;
}
