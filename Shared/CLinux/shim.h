#pragma once
// glibc declares these only with _GNU_SOURCE, which Swift's Glibc module lacks, so they are called by number.
#include <linux/falloc.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

// copy_file_range(2); both offsets are given, so that no file offset moves.
static inline ssize_t sendense_copy_file_range(
    int source, off_t source_offset, int target, off_t target_offset, size_t length) {
    loff_t from = source_offset;
    loff_t to = target_offset;
    return syscall(SYS_copy_file_range, source, &from, target, &to, length, 0u);
}
// fallocate(2): makes a stretch of a file a hole, within its size.
static inline int sendense_punch_hole(int descriptor, off_t offset, off_t length) {
    return (int)syscall(
        SYS_fallocate, descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}
