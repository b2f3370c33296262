//! File and environment become each room's settings; every fault is reported at once.
