#![no_main]

omnifn_fuzz::target!("gcp_direct");
