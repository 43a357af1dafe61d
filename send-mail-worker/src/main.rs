//! The send-mail-worker process.

use std::process::ExitCode;

use common::service::service_main;
use send_mail_worker::patience::Patience;
use send_mail_worker::transport::LogTransport;
use send_mail_worker::{MailMetrics, Settings, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service_main(
        Settings::read,
        |settings| &settings.base,
        |settings, listener, stop| {
            let transport =
                |metrics: &MailMetrics| LogTransport::to_stdout(metrics.duration.clone());
            run(settings, Patience::default(), transport, listener, stop)
        },
    )
}
