//! A local WeChat that plays both sides: it pushes to our URL, and it answers our API calls.
//!
//! It is a referee: it shares neither message types nor the API client nor the envelope with the
//! server that it judges, so that a shared mistake cannot hide.
//!
//! * [`platform`] is api.weixin.qq.com as a state machine without I/O, clock or randomness of its own;
//! * [`skin`] puts it behind a real socket, resets and half answers included;
//! * [`pusher`] is WeChat's push client: it signs, seals, waits five seconds, repeats and judges;
//! * [`seal`] is the sealing and signing of both;
//! * [`handle`] is how a running local WeChat is found by another process.

pub mod handle;
pub mod platform;
pub mod pusher;
mod random;
pub mod seal;
pub mod skin;
