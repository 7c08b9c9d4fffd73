#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hotstage_fuzz::flows(data));
