#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wxhook_fuzz::push::check(data));
