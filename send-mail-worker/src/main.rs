//! The send-mail-worker process.

use std::process::ExitCode;

use common::service::service_main;
use send_mail_worker::{Settings, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service_main(Settings::read, |settings| &settings.base, run)
}
