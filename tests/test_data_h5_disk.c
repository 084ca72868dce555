/* test_data_h5_disk.c: the driver through which HDF5 reaches files, asked by HDF5's own functions for
 * drivers: what HDF5 asks of it for no dump. Declared by hand: <hdf5.h> is included by data/h5*.c alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/stat.h>

#include "data/h5.h"
#include "data/h5_disk.h"
#include "tests/run_program.h"

enum { READ = 0, WRITE = 1, NEW = 4 | 16 }; /* H5F_ACC_RDONLY, _RDWR, _EXCL | _CREAT */
enum { BYTES = 3 };                         /* H5FD_MEM_DRAW */

#define FARTHEST (UINT64_MAX - 1) /* HADDR_MAX */
#define NO_PLACE UINT64_MAX       /* HADDR_UNDEF */

void *H5FDopen(const char *path, unsigned flags, int64_t access_list, uint64_t most);
int H5FDclose(void *file);
int H5FDcmp(const void *a, const void *b);
int H5FDlock(void *file, bool writes);
int H5FDunlock(void *file);
int H5FDset_eoa(void *file, int type, uint64_t end);
int H5FDread(void *file, int type, int64_t transfer, uint64_t at, size_t size, void *to);
int H5FDwrite(void *file, int type, int64_t transfer, uint64_t at, size_t size, const void *from);
int64_t H5Fcreate(const char *path, unsigned flags, int64_t create, int64_t access_list);
int H5Fclose(int64_t file);
int H5Pclose(int64_t list);

static char *folder;

static void begin(void) {
    folder = folder_begin();
    cr_assert_eq(chdir(folder), 0);
    sr_h5_lock();
}

static void end(void) {
    sr_h5_unlock();
    cr_assert_eq(chdir("/"), 0);
    folder_end(folder);
}

TestSuite(data_h5_disk, .init = begin, .fini = end);

static void *open_disk(const char *path, unsigned flags) {
    const int64_t list = sr_h5_disk_access();
    void *file = H5FDopen(path, flags, list, FARTHEST);
    H5Pclose(list);
    return file;
}

Test(data_h5_disk, new_files_are_new) {
    void *file = open_disk("a", WRITE | NEW);
    cr_assert_not_null(file);
    cr_expect_eq(H5FDclose(file), 0);
    cr_expect_null(open_disk("a", WRITE | NEW));
    cr_expect_null(open_disk("b", READ));
}

/* HDF5 opens a file a second time where it is the same one, whatever it is called. */
Test(data_h5_disk, files_have_an_order) {
    static const char *const elsewhere = "/proc/self/status"; /* of another device */
    void *a = open_disk("a", WRITE | NEW), *again, *b = open_disk("b", WRITE | NEW),
         *c = open_disk(elsewhere, READ);
    cr_assert_eq(link("a", "c"), 0);
    again = open_disk("c", READ);
    cr_assert(a && b && again);
    cr_expect_eq(H5FDcmp(a, again), 0);
    cr_expect_neq(H5FDcmp(a, b), 0);
    cr_expect_eq(H5FDcmp(a, b), -H5FDcmp(b, a));
    cr_assert(c);
    cr_expect_neq(H5FDcmp(a, c), 0);
    cr_expect_eq(H5FDcmp(a, c), -H5FDcmp(c, a));
    H5FDclose(a);
    H5FDclose(again);
    H5FDclose(b);
    H5FDclose(c);
}

Test(data_h5_disk, locks_are_none) {
    void *a = open_disk("a", WRITE | NEW), *again = open_disk("a", WRITE);
    cr_expect_eq(H5FDlock(a, true), 0);
    cr_expect_eq(H5FDlock(again, true), 0);
    cr_expect_eq(H5FDunlock(a), 0);
    cr_expect_eq(H5FDunlock(again), 0);
    H5FDclose(a);
    H5FDclose(again);
}

Test(data_h5_disk, places_that_no_file_has) {
    static const uint64_t places[] = {INT64_MAX - 2, (uint64_t)INT64_MAX + 1, FARTHEST - 8, NO_PLACE};
    char bytes[4] = "abc", got[8];
    struct stat st;
    void *a = open_disk("a", WRITE | NEW);
    cr_assert_eq(H5FDset_eoa(a, BYTES, FARTHEST), 0);
    for (size_t i = 0; i < SR_COUNT(places); i++) {
        cr_expect_lt(H5FDwrite(a, BYTES, 0, places[i], sizeof bytes, bytes), 0, "%llu",
                     (unsigned long long)places[i]);
        cr_expect_lt(H5FDread(a, BYTES, 0, places[i], sizeof bytes, got), 0, "%llu",
                     (unsigned long long)places[i]);
    }
    cr_assert_eq(stat("a", &st), 0);
    cr_expect_eq(st.st_size, 0);
    cr_expect_eq(H5FDwrite(a, BYTES, 0, 0, sizeof bytes, bytes), 0);
    cr_expect_eq(H5FDread(a, BYTES, 0, 0, sizeof got, got), 0);
    cr_expect_eq(memcmp(got, "abc\0\0\0\0\0", sizeof got), 0, "zeros behind the end");
    H5FDclose(a);
}

Test(data_h5_disk, files_of_another_driver) {
    const int64_t file = H5Fcreate("a", 2, 0, 0);
    const char *text;
    cr_assert_geq(file, 0);
    cr_expect_eq(sr_h5_disk_descriptor(file), -1);
    cr_expect_eq(sr_h5_disk_bytes(file), 0);
    sr_h5_disk_doubt(file);
    cr_expect_eq(sr_h5_disk_trouble(file, &text), 0);
    H5Fclose(file);
    cr_expect_eq(sr_h5_disk_descriptor(-1), -1);
}

/* What failed first is what is told. */
Test(data_h5_disk, a_file_in_doubt) {
    const int64_t list = sr_h5_disk_access(), file = H5Fcreate("a", 2, 0, list);
    const char *text = "";
    cr_assert_geq(file, 0);
    cr_expect_eq(sr_h5_disk_trouble(file, &text), 0);
    sr_h5_disk_doubt(file);
    sr_h5_disk_doubt(file);
    cr_expect_eq(sr_h5_disk_trouble(file, &text), SR_DATA);
    cr_expect_str_eq(text, "HDF5 cannot tell what is in it; the file may be damaged");
    H5Fclose(file);
    H5Pclose(list);
}
