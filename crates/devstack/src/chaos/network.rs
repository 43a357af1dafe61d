//! The ways from the services to SQS, SNS and the ledger, each of which can fail on its own.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, Result};
use emulators::fault_proxy::{FaultMode, FaultProxy};
use tokio::time;

/// A proxy for each service and what it calls.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) importer_to_sqs: FaultProxy,
    pub(super) billing_to_sqs: FaultProxy,
    pub(super) billing_to_sns: FaultProxy,
    pub(super) mail_to_sqs: FaultProxy,
    pub(super) importer_to_ledger: FaultProxy,
    pub(super) billing_to_ledger: FaultProxy,
    pub(super) mail_to_ledger: FaultProxy,
    /// Where the files are on S3.
    pub(super) importer_to_s3: Option<FaultProxy>,
}

impl Network {
    /// All ways pass.
    pub(super) async fn start(
        emulator_port: u16,
        ledger_port: u16,
        s3_port: Option<u16>,
    ) -> Result<Self> {
        let to = async |port| {
            FaultProxy::start(local(port))
                .await
                .context("no port for a proxy")
        };
        Ok(Self {
            importer_to_sqs: to(emulator_port).await?,
            billing_to_sqs: to(emulator_port).await?,
            billing_to_sns: to(emulator_port).await?,
            mail_to_sqs: to(emulator_port).await?,
            importer_to_ledger: to(ledger_port).await?,
            billing_to_ledger: to(ledger_port).await?,
            mail_to_ledger: to(ledger_port).await?,
            importer_to_s3: match s3_port {
                Some(port) => Some(to(port).await?),
                None => None,
            },
        })
    }

    /// The ways to the ledger; nobody takes them to a cluster.
    pub(super) fn to_ledger(&self) -> [&FaultProxy; 3] {
        [
            &self.importer_to_ledger,
            &self.billing_to_ledger,
            &self.mail_to_ledger,
        ]
    }

    /// All of the proxies.
    pub(super) fn all(&self) -> Vec<&FaultProxy> {
        let always = [
            &self.importer_to_sqs,
            &self.billing_to_sqs,
            &self.billing_to_sns,
            &self.mail_to_sqs,
            &self.importer_to_ledger,
            &self.billing_to_ledger,
            &self.mail_to_ledger,
        ];
        always.into_iter().chain(&self.importer_to_s3).collect()
    }
}

/// The address of a port of this machine.
pub(super) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Puts a proxy into a mode for a while.
pub(super) async fn disturb(proxy: &FaultProxy, mode: FaultMode, time: Duration) {
    proxy.set(mode);
    time::sleep(time).await;
    proxy.set(FaultMode::Pass);
}
