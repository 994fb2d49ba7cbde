#pragma once
// glibc declares some of these only with _GNU_SOURCE, which Swift's Glibc module lacks, so they are called by number.
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <unistd.h>

// ioctl_ficlonerange(2): has a stretch of the target share the source's blocks.
static inline int sendense_clone_range(int target, int source, off_t offset, off_t length) {
    struct file_clone_range range = {
        .src_fd = source,
        .src_offset = (unsigned long long)offset,
        .src_length = (unsigned long long)length,
        .dest_offset = (unsigned long long)offset,
    };
    return ioctl(target, FICLONERANGE, &range);
}
// sync_file_range(2): begins to write a stretch to the disk, and waits for nothing.
static inline int sendense_begin_writing(int descriptor, off_t offset, off_t length) {
    return (int)syscall(SYS_sync_file_range, descriptor, offset, length, 2u /* SYNC_FILE_RANGE_WRITE */);
}
// O_DIRECT of open(2), which has another number on other processors.
enum { sendense_o_direct = __O_DIRECT };
// statx(2) with STATX_DIOALIGN: what offsets, lengths and memory of direct I/O must be multiples of. 0: the file
// cannot do it; -1: the file system does not say.
static inline long long sendense_direct_unit(int descriptor) {
    struct statx found;
    if (syscall(SYS_statx, descriptor, "", 0x1000 /* AT_EMPTY_PATH */, STATX_DIOALIGN, &found) != 0) return -1;
    if (!(found.stx_mask & STATX_DIOALIGN)) return -1;
    if (found.stx_dio_offset_align == 0 || found.stx_dio_offset_align > found.stx_dio_mem_align)
        return found.stx_dio_offset_align;
    return found.stx_dio_mem_align;
}
// fallocate(2): makes a stretch of a file a hole, within its size.
static inline int sendense_punch_hole(int descriptor, off_t offset, off_t length) {
    return (int)syscall(
        SYS_fallocate, descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}
// F_OFD_SETLK of fcntl(2): takes or gives up a lock of all of a file, held by the open descriptor and not by the process.
static inline int sendense_set_whole_lock(int descriptor, short type) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    return fcntl(descriptor, 37 /* F_OFD_SETLK */, &lock);
}
static inline int sendense_lock_whole(int descriptor) { return sendense_set_whole_lock(descriptor, F_WRLCK); }
static inline int sendense_unlock_whole(int descriptor) { return sendense_set_whole_lock(descriptor, F_UNLCK); }
// A device's number, as stat(2) has it, and its halves, as sysfs names it.
static inline unsigned int sendense_major(unsigned long long device) { return major(device); }
static inline unsigned int sendense_minor(unsigned long long device) { return minor(device); }
static inline unsigned long long sendense_device(unsigned int major_number, unsigned int minor_number) {
    return makedev(major_number, minor_number);
}
