/* A disk that fails when it is told to: calls of the C library on files under one directory, made to fail, to wait, or to
 * lie about room. Loaded in front of a process (LD_PRELOAD), for tests, without root.
 *
 *   MINLIAN_FAULT_PREFIX   only files whose path begins like this
 *   MINLIAN_FAULT_CONTROL  a file of rules, read again at each call, so that a test can change its mind while it runs
 *   MINLIAN_FAULT_LOG      each injected fault, and each later sync that the same rule matches, is a line here
 *
 * A rule is a line of five words:  CALL ERROR NTH DELAY_MS PART
 *   CALL   fsync (and fdatasync), write (and pwrite, writev), open (for writing), truncate (and fallocate), statvfs
 *   ERROR  EIO, ENOSPC, EROFS, NONE (only wait), FULL or READONLY (of statvfs)
 *   NTH    the how-maniest matching call fails, once; 0 is every one
 *   PART   a part of the path, or * for any
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define RULES 16

struct rule {
    char call[16], error[16], part[128];
    long nth, delay_ms, seen;
};

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static struct rule rules[RULES];
static int rules_count;
static char last_control[4096];

/* Our own reading and writing goes past the functions below. */
static long raw_read(const char *path, char *into, size_t room) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return -1;
    long got = syscall(SYS_read, fd, into, room - 1);
    syscall(SYS_close, fd);
    if (got >= 0) into[got] = 0;
    return got;
}

static void note(const char *call, const char *path, const char *what) {
    const char *log = getenv("MINLIAN_FAULT_LOG");
    if (!log) return;
    char line[700];
    int bytes = snprintf(line, sizeof line, "%s %s %s\n", call, what, path);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    syscall(SYS_write, fd, line, (size_t)bytes);
    syscall(SYS_close, fd);
}

static void refresh(void) {
    const char *control = getenv("MINLIAN_FAULT_CONTROL");
    char text[4096];
    if (!control || raw_read(control, text, sizeof text) < 0) text[0] = 0;
    if (strcmp(text, last_control) == 0) return;
    strcpy(last_control, text);
    rules_count = 0;
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n")) && rules_count < RULES) {
        struct rule *r = &rules[rules_count];
        memset(r, 0, sizeof *r);
        if (sscanf(line, "%15s %15s %ld %ld %127s", r->call, r->error, &r->nth, &r->delay_ms, r->part) == 5)
            rules_count++;
    }
}

/* What the rules make of a call: its error, or 0. Waits here, if that is the rule. */
static int judge(const char *call, const char *path, char *error) {
    const char *prefix = getenv("MINLIAN_FAULT_PREFIX");
    long delay_ms = 0;
    int found = 0, saved = errno;
    if (!prefix || strncmp(path, prefix, strlen(prefix)) != 0) return 0;
    pthread_mutex_lock(&turn);
    refresh();
    for (int i = 0; i < rules_count && !found; i++) {
        struct rule *r = &rules[i];
        if (strcmp(r->call, call) != 0) continue;
        if (strcmp(r->part, "*") != 0 && !strstr(path, r->part)) continue;
        r->seen++;
        if (r->nth != 0 && r->seen != r->nth) {
            /* Whether anybody syncs again after the failure is what a test wants to know. */
            if (r->seen > r->nth && strcmp(call, "fsync") == 0) note("again", path, call);
            continue;
        }
        delay_ms = r->delay_ms;
        snprintf(error, 16, "%s", r->error);
        found = 1;
        note(call, path, error);
    }
    pthread_mutex_unlock(&turn);
    if (delay_ms) {
        struct timespec wait = {delay_ms / 1000, (delay_ms % 1000) * 1000000L};
        nanosleep(&wait, NULL);
    }
    errno = saved;
    return found && strcmp(error, "NONE") != 0;
}

static int judge_fd(const char *call, int fd, char *error) {
    char link[64], path[512];
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long got = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (got <= 0) return 0;
    path[got] = 0;
    return judge(call, path, error);
}

static int number(const char *error) {
    if (strcmp(error, "ENOSPC") == 0) return ENOSPC;
    if (strcmp(error, "EROFS") == 0) return EROFS;
    return EIO;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define OR_FAIL(call, fd, value) \
    char error[16]; \
    if (judge_fd(call, fd, error)) { errno = number(error); return (value); }

int fsync(int fd) { OR_FAIL("fsync", fd, -1) return REAL(fsync)(fd); }
int fdatasync(int fd) { OR_FAIL("fsync", fd, -1) return REAL(fdatasync)(fd); }

ssize_t write(int fd, const void *from, size_t bytes) {
    OR_FAIL("write", fd, -1)
    return REAL(write)(fd, from, bytes);
}

ssize_t pwrite(int fd, const void *from, size_t bytes, off_t at) {
    OR_FAIL("write", fd, -1)
    return REAL(pwrite)(fd, from, bytes, at);
}

ssize_t pwrite64(int fd, const void *from, size_t bytes, off64_t at) {
    OR_FAIL("write", fd, -1)
    return REAL(pwrite64)(fd, from, bytes, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    OR_FAIL("write", fd, -1)
    return REAL(writev)(fd, parts, count);
}

int ftruncate64(int fd, off64_t bytes) {
    OR_FAIL("truncate", fd, -1)
    return REAL(ftruncate64)(fd, bytes);
}

int fallocate(int fd, int mode, off_t at, off_t bytes) {
    OR_FAIL("truncate", fd, -1)
    return REAL(fallocate)(fd, mode, at, bytes);
}

/* Only opening for writing can fail here: a disk that cannot be read is another fault. */
static int judge_open(const char *path, int flags, char *error) {
    if (!(flags & (O_WRONLY | O_RDWR | O_CREAT)) || path[0] != '/') return 0;
    return judge("open", path, error);
}

#define OPENS \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    char error[16]; \
    if (judge_open(path, flags, error)) { errno = number(error); return -1; }

int open(const char *path, int flags, ...) { OPENS return REAL(open)(path, flags, mode); }
int open64(const char *path, int flags, ...) { OPENS return REAL(open64)(path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { OPENS return REAL(openat)(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { OPENS return REAL(openat64)(at, path, flags, mode); }

FILE *fopen(const char *path, const char *mode) {
    char error[16];
    if (strpbrk(mode, "wa+") && judge_open(path, O_WRONLY, error)) { errno = number(error); return NULL; }
    return REAL(fopen)(path, mode);
}

#define LIE \
    char error[16]; \
    if (result == 0 && judge("statvfs", path, error)) { \
        if (strcmp(error, "READONLY") == 0) found->f_flag |= ST_RDONLY; \
        else found->f_bavail = found->f_bfree = 0; \
    } \
    return result;

int statvfs(const char *path, struct statvfs *found) { int result = REAL(statvfs)(path, found); LIE }
int statvfs64(const char *path, struct statvfs64 *found) { int result = REAL(statvfs64)(path, found); LIE }
