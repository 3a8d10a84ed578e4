/* SPDX-License-Identifier: Apache-2.0 */
#include "picture.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define STBI_NO_STDIO
#include <stb/stb_image.h>
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

static vki_status check_size(int width, int height, const char *name, vki_status code, vki_error *err)
{
    if (width >= 1 && height >= 1 && width <= 65535 && height <= 65535 &&
        (uint64_t)width * (uint64_t)height <= PICTURE_MAX_PIXELS)
        return VKI_OK;
    return vkb_fail(
        err, code,
        "%s has %dx%d pixels: each side must be from 1 to 65535, and all together at most %u million", name,
        width, height, PICTURE_MAX_PIXELS >> 20);
}

vki_status picture_create(picture *p, int width, int height, vki_error *err)
{
    *p = (picture){0};
    VKB_TRY(check_size(width, height, "a picture", VKI_E_ARG, err));
    size_t bytes = (size_t)width * (size_t)height * 3;
    uint8_t *rgb = malloc(bytes);
    if (!rgb) return vkb_nomem(err, bytes);
    *p = (picture){rgb, width, height};
    return VKI_OK;
}

void picture_free(picture *p)
{
    free(p->rgb);
    *p = (picture){0};
}

/* The Huffman tables of a DHT segment whose length stands at p[at] have at most 256 codes each. */
static bool tables_fit(const uint8_t *p, size_t n, size_t at)
{
    int left = (p[at] << 8 | p[at + 1]) - 2;
    for (at += 2; left > 0;) {
        int codes = 0;
        if (n - at < 17) return false;
        for (int i = 1; i <= 16; i++) codes += p[at + (size_t)i];
        if (codes > 256 || n - at - 17 < (size_t)codes) return false;
        at += 17 + (size_t)codes;
        left -= 17 + codes;
    }
    return true;
}

/* stb_image before 2.28, which distributions still ship, writes beyond its tables for a JPEG (ITU-T T.81)
 * with more than 256 codes in one. Segments are walked as it does, and after the first scan every DHT marker
 * counts: coded data holds none. */
static bool jpeg_is_safe(const uint8_t *p, size_t n)
{
    enum { FILL = 0xff, SOI = 0xd8, DHT = 0xc4, SOS = 0xda };
    size_t at = 0;
    while (at < n && p[at] == FILL) at++;
    if (at == 0 || at == n || p[at++] != SOI) return true; /* no JPEG */
    bool scanned = false;
    while (n - at >= 4) {
        uint8_t marker = p[at + 1];
        if (p[at] != FILL || marker == FILL || (scanned && marker != DHT)) {
            at++;
            continue;
        }
        if (marker == DHT && !tables_fit(p, n, at + 2)) return false;
        scanned = scanned || marker == SOS;
        size_t length = scanned ? 0 : (size_t)(p[at + 2] << 8 | p[at + 3]);
        at = length < n - at - 2 ? at + 2 + length : n;
    }
    return true;
}

vki_status picture_decode(picture *p, const void *bytes, size_t n, const char *name, vki_error *err)
{
    *p = (picture){0};
    int width = 0, height = 0, channels = 0;
    if (n > INT_MAX) return vkb_fail(err, VKI_E_FORMAT, "%s is too large for a picture: %zu bytes", name, n);
    if (!jpeg_is_safe(bytes, n)) return vkb_fail(err, VKI_E_FORMAT, "%s is damaged: bad Huffman table", name);
    /* the size first: decoding allocates by it */
    if (!n || !stbi_info_from_memory(bytes, (int)n, &width, &height, &channels))
        return vkb_fail(err, VKI_E_FORMAT, "%s is no picture that can be read (%s); PNG, JPEG and BMP can",
                        name, n ? stbi_failure_reason() : "empty");
    VKB_TRY(check_size(width, height, name, VKI_E_FORMAT, err));
    uint8_t *rgb = stbi_load_from_memory(bytes, (int)n, &width, &height, &channels, 3);
    if (!rgb) return vkb_fail(err, VKI_E_FORMAT, "%s is damaged: %s", name, stbi_failure_reason());
    *p = (picture){rgb, width, height}; /* stb allocates with malloc, as picture_free expects */
    return VKI_OK;
}

vki_status picture_read(picture *p, const char *path, vki_error *err)
{
    *p = (picture){0};
    vkb_file file;
    VKB_TRY(vkb_file_map(&file, path, err));
    vki_status status = picture_decode(p, file.data, file.bytes, path, err);
    vkb_file_unmap(&file);
    return status;
}

typedef struct png_target {
    const char *path;
    vki_error *err;
    vki_status status;
} png_target;

static void write_png(void *user, void *bytes, int n)
{
    png_target *to = user;
    to->status = vkb_file_write(to->path, &(vkb_span){bytes, (size_t)n}, 1, to->err);
}

vki_status picture_write_png(const picture *p, const char *path, vki_error *err)
{
    png_target to = {path, err, VKI_OK};
    if (!stbi_write_png_to_func(write_png, &to, p->width, p->height, 3, p->rgb, p->width * 3))
        return vkb_nomem(err, (uint64_t)p->width * (uint64_t)p->height * 3);
    return to.status;
}
