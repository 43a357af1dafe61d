//! The importer-api process.

use std::process::ExitCode;

use common::service::{Environment, bind, block_on, init_telemetry, shutdown_on_signals};
use importer_api::{Settings, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    block_on(async {
        let settings = Settings::read(&Environment::of_process())?;
        init_telemetry(&settings.base.log_filter);
        let stop = shutdown_on_signals()?;
        let listener = bind(settings.base.bind_address, settings.base.port).await?;
        run(settings, listener, stop).await
    })
}
