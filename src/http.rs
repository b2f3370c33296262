//! The listeners: the webhook that WeChat calls, and the admin listener.
