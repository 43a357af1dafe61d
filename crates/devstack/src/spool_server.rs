//! Where importer-api keeps the files: a folder for each process, or S3 in this process.

#[cfg(feature = "s3")]
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

#[cfg(feature = "s3")]
use anyhow::Context;
use anyhow::Result;
#[cfg(not(feature = "s3"))]
use anyhow::bail;
use clap::ValueEnum;
#[cfg(feature = "s3")]
use emulators::s3_server::S3Server;
use serde::{Deserialize, Serialize};

use crate::services::Variable;

/// Name of the bucket, and of the folder in it.
const BUCKET: &str = "files";
const PREFIX: &str = "imports";

/// Where the files of imports are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SpoolKind {
    /// In folders, which one process has each.
    #[default]
    Disk,
    /// In a bucket, which all processes share.
    S3,
}

/// The choice of the spool on the command line, and how many work on it.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct SpoolOption {
    /// Where the files of imports are
    #[arg(long, env = "DEVSTACK_SPOOL", value_enum, default_value_t)]
    pub(crate) spool: SpoolKind,
    /// Processes of importer-api
    #[arg(long, env = "DEVSTACK_IMPORTERS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) importers: u16,
}

/// A running server, or the folder of the folders.
#[derive(Debug)]
pub(crate) enum SpoolServer {
    Disk(PathBuf),
    #[cfg(feature = "s3")]
    S3(S3Server),
}

impl SpoolServer {
    /// Starts with nothing in it. What is put there is in that directory.
    pub(crate) async fn start(kind: SpoolKind, directory: &Path) -> Result<Self> {
        match kind {
            SpoolKind::Disk => Ok(Self::Disk(directory.to_owned())),
            SpoolKind::S3 => Self::s3(directory).await,
        }
    }

    #[cfg(feature = "s3")]
    async fn s3(directory: &Path) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = S3Server::start_on(address, Some(directory), &[BUCKET]).await;
        Ok(Self::S3(server.context("cannot start S3")?))
    }

    #[cfg(not(feature = "s3"))]
    #[expect(clippy::unused_async, reason = "as with S3")]
    async fn s3(_directory: &Path) -> Result<Self> {
        bail!("this program is built without S3: `make … SPOOL=s3` builds it with")
    }

    /// The port of S3.
    pub(crate) fn port(&self) -> Option<u16> {
        match self {
            Self::Disk(_) => None,
            #[cfg(feature = "s3")]
            Self::S3(server) => Some(server.address().port()),
        }
    }

    /// The variables of the importer-api of that number, which reaches S3 at that port.
    pub(crate) fn variables(&self, number: usize, s3_port: Option<u16>) -> Vec<Variable> {
        match (self, s3_port) {
            (_, Some(port)) => vec![
                ("SPOOL_URL", format!("s3://{BUCKET}/{PREFIX}")),
                ("S3_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
            ],
            (Self::Disk(directory), None) => {
                let folder = match number {
                    1 => directory.clone(),
                    _ => directory.with_added_extension(number.to_string()),
                };
                vec![("SPOOL_DIR", folder.to_string_lossy().into_owned())]
            }
            #[cfg(feature = "s3")]
            (Self::S3(server), None) => self.variables(number, Some(server.address().port())),
        }
    }
}
