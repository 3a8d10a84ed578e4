/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

vki_status vkb_file_map(vkb_file *file, const char *path, vki_error *err)
{
    *file = (vkb_file){NULL, 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return vkb_fail(err, VKI_E_IO, "cannot open %s: %s", path, strerror(errno));
    struct stat st;
    vki_status status = VKI_OK;
    if (fstat(fd, &st) != 0) {
        status = vkb_fail(err, VKI_E_IO, "cannot read %s: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        status = vkb_fail(err, VKI_E_IO, "%s is not a regular file", path);
    } else if (st.st_size > 0) {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            status = vkb_fail(err, VKI_E_IO, "cannot map %s: %s", path, strerror(errno));
        else
            *file = (vkb_file){data, (size_t)st.st_size};
    }
    close(fd);
    return status;
}

void vkb_file_unmap(vkb_file *file)
{
    if (file->data) munmap((void *)(uintptr_t)file->data, file->bytes);
    *file = (vkb_file){NULL, 0};
}

void vkb_file_release(const vkb_file *file, const void *data, uint64_t bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)file->data;
    const uintptr_t at = (uintptr_t)data;
    if (!file->data || at < start || at - start > file->bytes || bytes > file->bytes - (at - start)) return;
    const uintptr_t first = (at + page - 1) / page * page, last = (at + (uintptr_t)bytes) / page * page;
    if (first < last)
        madvise((void *)first, last - first, MADV_DONTNEED); /* private and only read: no loss */
}

static bool write_all(int fd, const void *data, size_t bytes)
{
    for (const char *p = data; bytes;) {
        ssize_t n = write(fd, p, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        p += n;
        bytes -= (size_t)n;
    }
    return true;
}

/* A file beside `path` that did not exist before; its name is written to `name`. -1: errno tells why. */
static int create_beside(const char *path, char *name, size_t size)
{
    enum { TRIES = 1000 }; /* names taken by other threads, or left behind by a crash */
    for (int i = 0; i < TRIES; i++) {
        int n = snprintf(name, size, "%s.tmp-%ld-%d", path, (long)getpid(), i);
        if (n < 0 || (size_t)n >= size) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

vki_status vkb_file_write(const char *path, const vkb_span *parts, int count, vki_error *err)
{
    char temporary[PATH_MAX + 32], target[PATH_MAX];
    struct stat st;
    if (realpath(path, target)) path = target; /* through a link, its target is replaced: it may be mapped */
    /* a device or a pipe must stay what it is */
    bool in_place = lstat(path, &st) == 0 && !S_ISREG(st.st_mode);
    int fd = in_place ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)
                      : create_beside(path, temporary, sizeof temporary);
    if (fd < 0) return vkb_fail(err, VKI_E_IO, "cannot write %s: %s", path, strerror(errno));
    bool good = true;
    for (int i = 0; i < count && good; i++) good = write_all(fd, parts[i].data, parts[i].bytes);
    int why = errno;
    if (close(fd) != 0 && good) {
        good = false;
        why = errno;
    }
    if (good && !in_place && rename(temporary, path) != 0) {
        good = false;
        why = errno;
    }
    if (good) return VKI_OK;
    if (!in_place) unlink(temporary);
    return vkb_fail(err, VKI_E_IO, "cannot write %s: %s", path, strerror(why));
}
