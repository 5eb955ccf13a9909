#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| signerd_fuzz::run("server", data));
