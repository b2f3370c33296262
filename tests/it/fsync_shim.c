/* Stands between a process and its disk: LD_PRELOAD it.
 *
 * FSYNC_SHIM_DELAY_MS    every sync takes so much longer
 * FSYNC_SHIM_HOLD        path of a trigger: while that file exists, syncs of *-wal wait. The first to do so
 *                         makes a file of that name with .held behind it
 * FSYNC_SHIM_FAIL_WAL    path of a trigger: while that file exists, syncs of *-wal fail with EIO
 * FSYNC_SHIM_FAIL_MAIN   path of a trigger: while that file exists, syncs of *.db fail with EIO
 * FSYNC_SHIM_FULL        path of a trigger: while that file exists the disk is full. Writes of *.reserve
 *                         fail with ENOSPC, and so do those of *-wal while FSYNC_SHIM_RESERVE exists
 * FSYNC_SHIM_RESERVE     path of the file whose space is free again when it is removed
 * FSYNC_SHIM_LOG         file to which each sync adds a line: wal|main|other ok|eio size
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum kind { WAL, MAIN, RESERVE, OTHER };

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static enum kind kind_of(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return OTHER;
    path[length] = 0;
    if (ends_with(path, "-wal")) return WAL;
    if (ends_with(path, ".reserve")) return RESERVE;
    return ends_with(path, ".db") ? MAIN : OTHER;
}

static int is_triggered(const char *variable) {
    const char *trigger = getenv(variable);
    return trigger && access(trigger, F_OK) == 0;
}

static void delay(void) {
    const char *text = getenv("FSYNC_SHIM_DELAY_MS");
    long milliseconds = text ? atol(text) : 0;
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (milliseconds > 0 && nanosleep(&time, &time) != 0 && errno == EINTR) {}
}

static void hold(void) {
    const char *trigger = getenv("FSYNC_SHIM_HOLD");
    if (!trigger || access(trigger, F_OK) != 0) return;
    char held[4096];
    snprintf(held, sizeof held, "%s.held", trigger);
    int file = open(held, O_WRONLY | O_CREAT, 0600);
    if (file >= 0) close(file);
    struct timespec time = {0, 1000000};
    while (access(trigger, F_OK) == 0) nanosleep(&time, NULL);
}

static void note(enum kind kind, int failed, int fd) {
    static const char *const names[] = {"wal", "main", "other", "other"};
    const char *log = getenv("FSYNC_SHIM_LOG");
    if (!log) return;
    struct stat status = {0};
    fstat(fd, &status);
    char line[64];
    int length = snprintf(line, sizeof line, "%s %s %lld\n", names[kind], failed ? "eio" : "ok",
                          (long long)status.st_size);
    int file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0) return;
    if (syscall(SYS_write, file, line, length) != length) { /* a lost line fails the test that needs it */ }
    close(file);
}

static int sync_by(long number, int fd) {
    enum kind kind = kind_of(fd);
    delay();
    if (kind == WAL) hold();
    int failed = (kind == WAL && is_triggered("FSYNC_SHIM_FAIL_WAL")) ||
                 (kind == MAIN && is_triggered("FSYNC_SHIM_FAIL_MAIN"));
    int result = failed ? -1 : (int)syscall(number, fd);
    int reason = failed ? EIO : errno;
    note(kind, failed, fd);
    errno = reason;
    return result;
}

int fsync(int fd) { return sync_by(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }

static int is_full(int fd) {
    if (!is_triggered("FSYNC_SHIM_FULL")) return 0;
    enum kind kind = kind_of(fd);
    int full = kind == RESERVE || (kind == WAL && is_triggered("FSYNC_SHIM_RESERVE"));
    if (full) errno = ENOSPC;
    return full;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    return is_full(fd) ? -1 : syscall(SYS_write, fd, bytes, count);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return is_full(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, count, offset);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) {
    return is_full(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, count, offset);
}
