//! How long a connection stays away after failures: from their number, the pause in nanoseconds.

/// Pause after the second failure in a row, doubled with each further one.
const FIRST_PAUSE_NS: u64 = 10_000_000;
const LONGEST_PAUSE_NS: u64 = 1_000_000_000;

/// The pause after so many failures in a row, a quarter more at most, by `random`. A single one costs none.
pub(super) fn pause_ns(failures: u32, random: u64) -> u64 {
    if failures <= 1 {
        return 0;
    }
    let pause_ns = (FIRST_PAUSE_NS << (failures - 2).min(10)).min(LONGEST_PAUSE_NS);
    pause_ns + random % (pause_ns / 4 + 1)
}
