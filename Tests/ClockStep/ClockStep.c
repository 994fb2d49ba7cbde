#define _GNU_SOURCE
#include "ClockStep.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t none;
static _Atomic int64_t *seconds = &none;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CLOCK_STEP_FILE");
    if (path == NULL) return;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    void *map = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (map != MAP_FAILED) seconds = map;
}

static time_t step(void) { return atomic_load_explicit(seconds, memory_order_relaxed); }

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (syscall(SYS_clock_gettime, clock, now) != 0) return -1;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += step();
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME_COARSE, &time);
    if (now != NULL) *now = time.tv_sec;
    return time.tv_sec;
}

// The kernel's own wall clock is never set, so a deadline by ours has to be told in its time. One that is a time
// since this machine's start is small.
static struct timespec deadline(const struct timespec *told) {
    struct timespec own = *told;
    if (own.tv_sec > 1000000000) own.tv_sec -= step();
    return own;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    struct timespec own = deadline(until);
    return REAL(pthread_cond_timedwait)(condition, mutex, &own);
}

int pthread_cond_clockwait(
    pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until
) {
    struct timespec own = deadline(until);
    return REAL(pthread_cond_clockwait)(condition, mutex, clock, &own);
}

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until) {
    struct timespec own = deadline(until);
    return REAL(pthread_mutex_timedlock)(mutex, &own);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    struct timespec own = deadline(until);
    return REAL(sem_timedwait)(semaphore, &own);
}
