#pragma once
// Calls of Linux that Swift's Glibc module does not have. Nothing is included here: what this header declares besides
// would be declared twice, by Glibc too, and whose it is for Swift would depend on the order in which files are compiled.

// ioctl_ficlonerange(2): has a stretch of the target share the source's blocks.
int sendense_clone_range(int target, int source, long long offset, long long length);
// sync_file_range(2): begins to write a stretch to the disk, and waits for nothing.
int sendense_begin_writing(int descriptor, long long offset, long long length);
// O_DIRECT of open(2), which has another number on other processors.
int sendense_o_direct(void);
// statx(2) with STATX_DIOALIGN: what offsets, lengths and memory of direct I/O must be multiples of. 0: the file
// cannot do it; -1: the file system does not say.
long long sendense_direct_unit(int descriptor);
// fallocate(2): makes a stretch of a file a hole, within its size.
int sendense_punch_hole(int descriptor, long long offset, long long length);
// F_OFD_SETLK of fcntl(2): takes or gives up a lock of all of a file, held by the open descriptor and not by the process.
int sendense_lock_whole(int descriptor);
int sendense_unlock_whole(int descriptor);
// A device's number, as stat(2) has it, and its halves, as sysfs names it.
unsigned int sendense_major(unsigned long long device);
unsigned int sendense_minor(unsigned long long device);
unsigned long long sendense_device(unsigned int major_number, unsigned int minor_number);
// malloc_trim(3): gives the memory that nothing is in back to the system.
void sendense_trim_heap(void);
