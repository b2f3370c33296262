//! One request to the platform becomes one decoded answer.
