//! Start order, stop order, exit reasons: the only place that knows everything.
