internal import CLinux

/// The process's memory for objects.
public enum Heap {
    /// Gives the system back what is not in use.
    ///
    /// A thread that had much in use once keeps it for itself otherwise, for as long as the process lives. It takes some
    /// milliseconds, in which others who need memory may wait.
    public static func giveBack() { sendense_trim_heap() }
}
