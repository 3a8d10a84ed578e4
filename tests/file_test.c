/* SPDX-License-Identifier: Apache-2.0
 * Writing a file: whole or not at all, and never in the place of something that is no file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

static char folder[] = "/tmp/vkinfer-file-test-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[3][128];
    static int next;
    char *p = path[next++ % 3];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static vki_status write_text(const char *path, const char *text)
{
    return vkb_file_write(path, &(vkb_span){text, strlen(text)}, 1, NULL);
}

static void assert_holds(const char *path, const char *text)
{
    vkb_file file;
    assert_int_equal(vkb_file_map(&file, path, NULL), VKI_OK);
    assert_int_equal(file.bytes, strlen(text));
    assert_memory_equal(file.data, text, file.bytes);
    vkb_file_unmap(&file);
}

static void a_file_is_replaced(void **state)
{
    (void)state;
    const char *path = in_folder("a");
    assert_int_equal(write_text(path, "first"), VKI_OK);
    vkb_file old; /* readers of the old file keep it */
    assert_int_equal(vkb_file_map(&old, path, NULL), VKI_OK);
    assert_int_equal(write_text(path, "2nd"), VKI_OK);
    assert_memory_equal(old.data, "first", 5);
    vkb_file_unmap(&old);
    assert_holds(path, "2nd");
}

static void what_is_no_file_stays(void **state)
{
    (void)state;
    const char *target = in_folder("target"), *link_path = in_folder("link"), *fifo = in_folder("fifo");
    struct stat st;
    assert_int_equal(write_text(target, "old"), VKI_OK);
    assert_int_equal(symlink(target, link_path), 0);
    assert_int_equal(write_text(link_path, "through the link"), VKI_OK);
    assert_int_equal(lstat(link_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_holds(target, "through the link");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    int reader = open(fifo, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_int_equal(write_text(fifo, "pipe"), VKI_OK);
    char got[8] = "";
    assert_int_equal(read(reader, got, sizeof got), 4);
    assert_memory_equal(got, "pipe", 4);
    close(reader);
    assert_int_equal(lstat(fifo, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(write_text("/dev/full", "x"), VKI_E_IO);
    assert_int_equal(lstat("/dev/full", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void refusals(void **state)
{
    (void)state;
    vki_error err;
    assert_int_equal(vkb_file_write(folder, &(vkb_span){"x", 1}, 1, &err), VKI_E_IO);
    assert_non_null(strstr(err.text, folder));
    assert_int_equal(write_text(in_folder("nowhere/file"), "x"), VKI_E_IO);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

/* Fails if a test left anything else behind, such as a file that was never renamed. */
static int remove_folder(void **state)
{
    (void)state;
    static const char *const made[] = {"a", "target", "link", "fifo"};
    for (size_t i = 0; i < VKB_COUNT(made); i++) unlink(in_folder(made[i]));
    return rmdir(folder);
}

/* Pages of the mapping that are in this process's memory (mincore would tell of the page cache). */
static long resident_kb(const void *data)
{
    char line[256];
    long kb = -1;
    bool found = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    assert_non_null(f);
    while (kb < 0 && fgets(line, sizeof line, f)) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            found = (uintptr_t)data >= start && (uintptr_t)data < end;
        else if (found)
            sscanf(line, "Rss: %ld", &kb);
    }
    fclose(f);
    return kb;
}

static void released_pages_leave_memory_and_come_back(void **state)
{
    (void)state;
    enum { BYTES = 1 << 20 };
    const char *path = in_folder("large");
    unsigned char *data = malloc(BYTES);
    assert_non_null(data);
    for (int i = 0; i < BYTES; i++) data[i] = (unsigned char)(i * 7 >> 3);
    assert_int_equal(vkb_file_write(path, &(vkb_span){data, BYTES}, 1, NULL), VKI_OK);
    vkb_file file;
    assert_int_equal(vkb_file_map(&file, path, NULL), VKI_OK);
    assert_memory_equal(file.data, data, BYTES);
    assert_true(resident_kb(file.data) == BYTES >> 10);
    vkb_file_release(&file, file.data + 100, BYTES - 200); /* pages in part outside stay */
    const long left = resident_kb(file.data);
    assert_true(left > 0 && left <= 128);
    assert_memory_equal(file.data, data, BYTES);
    vkb_file_release(&file, data, BYTES); /* not of the file: untouched */
    vkb_file_release(&file, file.data + 1, BYTES);
    vkb_file_release(&(vkb_file){NULL, 0}, data, BYTES);
    assert_true(resident_kb(file.data) == BYTES >> 10);
    for (int i = 0; i < BYTES; i++) assert_int_equal(data[i], (unsigned char)(i * 7 >> 3));
    vkb_file_unmap(&file);
    assert_int_equal(unlink(path), 0);
    free(data);
}

static void an_arena_knows_its_own(void **state)
{
    (void)state;
    vkb_arena one, two;
    vkb_arena_init(&one, &vkb_libc_allocator);
    vkb_arena_init(&two, &vkb_libc_allocator);
    char *small = vkb_arena_alloc(&one, 10), *large = vkb_arena_alloc_raw(&one, 5 << 20);
    char *other = vkb_arena_alloc(&two, 10);
    assert_true(small && large && other && (uintptr_t)large % 64 == 0);
    vkb_prefault(large, 5 << 20);
    memset(large, 1, 5 << 20);
    assert_true(vkb_arena_holds(&one, small) && vkb_arena_holds(&one, large + (5 << 20) - 1));
    assert_false(vkb_arena_holds(&one, other) || vkb_arena_holds(&one, NULL) || vkb_arena_holds(&two, small));
    vkb_arena_free(&one);
    vkb_arena_free(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_replaced),
        cmocka_unit_test(what_is_no_file_stays),
        cmocka_unit_test(refusals),
        cmocka_unit_test(released_pages_leave_memory_and_come_back),
        cmocka_unit_test(an_arena_knows_its_own),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
