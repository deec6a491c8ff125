#![no_main]

omnifn_fuzz::target!("aws_database");
