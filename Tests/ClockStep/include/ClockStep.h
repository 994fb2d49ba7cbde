/// A wall clock that can be set, for programs of the fault lab.
///
/// Preloaded (LD_PRELOAD), it adds to the wall clock as many seconds as the first eight bytes of the file that
/// CLOCK_STEP_FILE names say at that moment, as a little-endian integer. The monotonic clock stays what it is, as
/// it does where a real clock is set. It takes no lock and opens nothing while a program asks for the time.
