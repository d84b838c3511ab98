/* A disk that answers slowly, and now and then with an error: LD_PRELOAD this.

   DISK_PATH    part of the names of the files that it is about
   DISK_ERRNO   the error of their first DISK_TIMES writes, and of their first DISK_READS reads, in each process and
                anew where DISK_PATH changes
   DISK_SLOW    microseconds that each of their reads and writes takes */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long failed_writes, failed_reads;

static int concerned(int fd) {
    static char about[4096];
    const char *part = getenv("DISK_PATH");
    char link[64], name[4096];
    if (part == NULL) return 0;
    if (strcmp(part, about) != 0) {
        snprintf(about, sizeof about, "%s", part);
        failed_writes = failed_reads = 0;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 0) return 0;
    name[length] = 0;
    return strstr(name, part) != NULL;
}

static long number(const char *name) {
    const char *text = getenv(name);
    return text == NULL ? 0 : atol(text);
}

/* Whether this use of a file that it is about fails, as the first so many do; errno is set then. */
static int fails(long *failed, const char *times) {
    usleep(number("DISK_SLOW"));
    if (*failed >= number(times)) return 0;
    (*failed)++;
    errno = (int)number("DISK_ERRNO");
    return 1;
}

ssize_t write(int fd, const void *content, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (real == NULL) real = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (concerned(fd) && fails(&failed_writes, "DISK_TIMES")) return -1;
    return real(fd, content, size);
}

ssize_t read(int fd, void *content, size_t size) {
    static ssize_t (*real)(int, void *, size_t);
    if (real == NULL) real = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    if (concerned(fd) && fails(&failed_reads, "DISK_READS")) return -1;
    return real(fd, content, size);
}
