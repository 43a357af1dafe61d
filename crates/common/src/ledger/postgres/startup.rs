//! What must hold before the ledger is used.

use deadpool_postgres::PoolError;
use rustls::CertificateError;
use std::error::Error as _;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tracing::{info, warn};

use super::connections::{Connections, cause, no_connection};
use super::error::{Line, passes};
use super::schema::{self, SchemaError};
use super::{PostgresLedger, PostgresSettings, pooler};
use crate::ledger::LedgerMetrics;
use crate::runtime::{Outage, ServiceError};

/// The oldest version, as the server gives it in figures.
const OLDEST: i32 = 150_000;

/// Why the ledger cannot be used.
enum Unusable {
    /// That may pass.
    Now(String),
    /// Something must be changed first.
    AsItIs(String),
}

impl PostgresLedger {
    /// Connects, with the tries that the settings allow, checks that the
    /// server is what the promises need, and brings the tables to the version
    /// of this program. Later the connections mend themselves.
    ///
    /// # Errors
    /// When the server does not answer, takes no writes, refuses the user, is
    /// older than 15, or has old tables that this user may not change.
    pub async fn connect(
        settings: &PostgresSettings,
        metrics: Option<LedgerMetrics>,
    ) -> Result<Self, ServiceError> {
        let connections = Connections::new(settings, metrics)?;
        let others = Connections::new(settings, None)?;
        let address = settings.address();
        let unusable = |why| match why {
            Unusable::Now(error) => ServiceError::Ledger(format!(
                "PostgreSQL at {address} cannot be used: {error}; check LEDGER_URL, or start the primary"
            )),
            Unusable::AsItIs(error) => {
                ServiceError::Unsuitable(format!("PostgreSQL at {address} cannot be used: {error}"))
            }
        };
        let check = async || check(&connections, &others).await.map_err(unusable);
        settings.start_tries.of("PostgreSQL", check).await?;
        Ok(Self {
            connections,
            outage: Outage::new("PostgreSQL"),
        })
    }
}

/// Brings the tables of a ledger to the version of this program, for services
/// whose user may not.
///
/// # Errors
/// As [`PostgresLedger::connect`].
pub async fn migrate(settings: &PostgresSettings) -> Result<(), ServiceError> {
    PostgresLedger::connect(settings, None).await.map(drop)
}

async fn check(connections: &Connections, others: &Connections) -> Result<(), Unusable> {
    let mut client = connections
        .get()
        .await
        .map_err(|error| unreachable(&error))?;
    let version = setting(&client, "server_version").await?;
    if figure(&client, "server_version_num").await? < OLDEST {
        return Err(Unusable::AsItIs(format!(
            "it is of version {version}, and the ledger takes one of 15 or later"
        )));
    }
    info!(version, "PostgreSQL answers");
    for name in ["fsync", "full_page_writes"] {
        if setting(&client, name).await? == "off" {
            warn!(
                name,
                "PostgreSQL runs with this off: a loss of power loses debts, which are billed and mailed again"
            );
        }
    }
    check_pooler(&mut client, others).await?;
    schema::prepare(&mut client).await.map_err(unprepared)
}

/// Where all sessions of a pooler are taken meanwhile, nothing is found out.
async fn check_pooler(client: &mut Client, others: &Connections) -> Result<(), Unusable> {
    let mut other = others.get().await.map_err(|error| unreachable(&error))?;
    let asked = pooler::mixes_up_statements(client, &mut other);
    match tokio::time::timeout(others.operation_timeout(), asked).await {
        Ok(Ok(true)) => Err(Unusable::AsItIs(
            "the pooler in front of it mixes up the statements of its clients, so that debts would be billed twice; it takes PgBouncer 1.21 or later with max_prepared_statements above 0, or its session mode"
                .to_owned(),
        )),
        Ok(Err(error)) => Err(refused(&error)),
        Ok(Ok(false)) | Err(_) => Ok(()),
    }
}

async fn setting(client: &Client, name: &str) -> Result<String, Unusable> {
    let answer = client
        .query_one("SELECT current_setting($1)", &[&name])
        .await;
    let value = answer.and_then(|row| row.try_get(0));
    value.map_err(|error| Unusable::Now(Line(&error).to_string()))
}

async fn figure(client: &Client, name: &str) -> Result<i32, Unusable> {
    let value = setting(client, name).await?;
    Ok(value.parse().unwrap_or_default())
}

fn unreachable(error: &PoolError) -> Unusable {
    match cause(error) {
        Some(cause) => refused(cause),
        None => Unusable::Now(no_connection(error)),
    }
}

/// Why the server, or the network, gives no connection.
fn refused(cause: &tokio_postgres::Error) -> Unusable {
    let line = Line(cause).to_string();
    let what_to_do = match cause.code() {
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            "check user and password in LEDGER_URL"
        }
        Some(&SqlState::INVALID_CATALOG_NAME) => "check the database in LEDGER_URL, or create it",
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => "GRANT the user CONNECT on the database",
        None if is_of_certificate(cause) => {
            "check the server's certificate, and sslmode and sslrootcert in LEDGER_URL"
        }
        Some(&SqlState::TOO_MANY_CONNECTIONS) => {
            return Unusable::Now(format!(
                "{line}; raise its max_connections, or lower LEDGER_CONNECTIONS of the services"
            ));
        }
        _ => return Unusable::Now(line),
    };
    Unusable::AsItIs(format!("{line}; {what_to_do}"))
}

/// Whether the server's certificate was not taken.
fn is_of_certificate(error: &tokio_postgres::Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        let of_io = error.downcast_ref::<std::io::Error>();
        let inner = of_io.and_then(std::io::Error::get_ref);
        let inner = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let tls = error.downcast_ref::<rustls::Error>().or(inner);
        if let Some(rustls::Error::InvalidCertificate(why)) = tls {
            return !matches!(why, CertificateError::Other(_));
        }
        source = error.source();
    }
    false
}

fn unprepared(error: SchemaError) -> Unusable {
    match error {
        SchemaError::Old { held: 0 } => Unusable::AsItIs(
            "it has no tables that this user sees, and the user may not make them; run `operator migrate` as one who may, or GRANT the user USAGE on their schema".to_owned(),
        ),
        SchemaError::Old { held } => Unusable::AsItIs(format!(
            "its tables are of version {held}, which is old, and this user may not change them; run `operator migrate` as one who may"
        )),
        SchemaError::Rights(rights) => {
            Unusable::AsItIs(format!("this user lacks rights; GRANT {rights}"))
        }
        SchemaError::Postgres(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            Unusable::AsItIs(format!("{}; GRANT the user that right", Line(&error)))
        }
        SchemaError::Postgres(error) if passes(&error) => Unusable::Now(Line(&error).to_string()),
        SchemaError::Postgres(error) => Unusable::AsItIs(Line(&error).to_string()),
    }
}
