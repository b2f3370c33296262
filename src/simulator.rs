//! A local WeChat that plays both sides.
