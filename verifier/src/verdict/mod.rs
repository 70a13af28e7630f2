//! AFTER: judges what is on disk. Pure: no clock, no async, no I/O but reading the run folder and writing reports.
