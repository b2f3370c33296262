//! From a stored push to a delivered reply: lanes, routes, attempts, outbox.
