//! The billing-worker process.

use std::process::ExitCode;

use billing_worker::{Settings, run};
use common::service::service_main;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service_main(Settings::read, |settings| &settings.base, run)
}
