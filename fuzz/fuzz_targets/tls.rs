#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| privatelink_fuzz::tls(input));
