// What they are for is in the header. glibc declares some of these calls only with _GNU_SOURCE, so they are made by number.
#include "CLinux.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <malloc.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <unistd.h>

int sendense_clone_range(int target, int source, long long offset, long long length) {
    struct file_clone_range range = {
        .src_fd = source,
        .src_offset = (unsigned long long)offset,
        .src_length = (unsigned long long)length,
        .dest_offset = (unsigned long long)offset,
    };
    return ioctl(target, FICLONERANGE, &range);
}
int sendense_begin_writing(int descriptor, long long offset, long long length) {
    return (int)syscall(SYS_sync_file_range, descriptor, offset, length, 2u /* SYNC_FILE_RANGE_WRITE */);
}
int sendense_o_direct(void) { return __O_DIRECT; }
long long sendense_direct_unit(int descriptor) {
    struct statx found;
    if (syscall(SYS_statx, descriptor, "", 0x1000 /* AT_EMPTY_PATH */, STATX_DIOALIGN, &found) != 0) return -1;
    if (!(found.stx_mask & STATX_DIOALIGN)) return -1;
    if (found.stx_dio_offset_align == 0 || found.stx_dio_offset_align > found.stx_dio_mem_align)
        return found.stx_dio_offset_align;
    return found.stx_dio_mem_align;
}
int sendense_punch_hole(int descriptor, long long offset, long long length) {
    return (int)syscall(
        SYS_fallocate, descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}
static int sendense_set_whole_lock(int descriptor, short type) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    return fcntl(descriptor, 37 /* F_OFD_SETLK */, &lock);
}
int sendense_lock_whole(int descriptor) { return sendense_set_whole_lock(descriptor, F_WRLCK); }
int sendense_unlock_whole(int descriptor) { return sendense_set_whole_lock(descriptor, F_UNLCK); }
unsigned int sendense_major(unsigned long long device) { return major(device); }
unsigned int sendense_minor(unsigned long long device) { return minor(device); }
unsigned long long sendense_device(unsigned int major_number, unsigned int minor_number) {
    return makedev(major_number, minor_number);
}
void sendense_trim_heap(void) { malloc_trim(0); }
