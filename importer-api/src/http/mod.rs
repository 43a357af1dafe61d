//! Routes, problem documents, API documentation, the page for people.

mod auth;
mod boletos;
mod browsers;
mod clients;
mod csv_table;
mod docs;
mod download;
mod erase;
mod events;
mod file_name;
mod form;
mod import_list;
mod import_view;
mod imports;
mod limits;
mod linger;
mod pace;
mod page;
mod parameters;
mod places;
mod preview;
mod problem;
mod readdress;
mod reasons;
mod rejections;
mod reopen;
mod results;
mod slips;
mod upload;
mod upload_span;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use common::ledger::{LedgerSlot, SharedLedger};
use common::messaging::Queue;
use common::rules::BillingRules;
use common::runtime::Tracer;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use auth::{ApiTokens, UnfitToken};
pub use browsers::{AllowedHosts, UnfitHost};
pub use clients::Clients;
pub use docs::ApiDoc;
pub use limits::{UploadLimits, UploadSettings};
pub use problem::Problem;

pub(crate) use import_view::ImportView;

use self::auth::authenticate;
use self::browsers::{Visits, refuse_other_sites};
use self::docs::docs_routes;
use self::linger::linger;
use self::page::page_routes;
use self::places::take_place;
use crate::ImporterMetrics;
use crate::acceptance::Acceptance;
use crate::import::{Arrivals, Importer};
use crate::intake::IntakeRoom;
use crate::spool::Spool;

/// What the handlers share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The files.
    pub spool: Spool,
    /// Threads and memory of the uploads.
    pub room: IntakeRoom,
    /// Is told of the imports that are to be sent.
    pub arrivals: Arrivals,
    /// What became of the imports.
    pub ledger: LedgerSlot<SharedLedger>,
    /// Sends them; set once the ledger has answered for the first time.
    pub importer: Arc<OnceLock<Arc<QueueImporter>>>,
    /// Counts the imports whose end a client's look records.
    pub metrics: ImporterMetrics,
    /// How much is taken of how many clients.
    pub limits: UploadLimits,
    /// Who may follow imports.
    pub followers: Clients,
    /// Who may download results.
    pub downloads: Clients,
    /// Who may look at a file before it is billed.
    pub previews: Clients,
    /// Wakes who erases imports.
    pub erasures: Arc<Notify>,
    /// How long the file of a finished import is kept.
    pub retention: Duration,
    /// By which files are looked at: those of billing-worker.
    pub rules: BillingRules,
    /// Makes the spans of uploads.
    pub tracer: Tracer,
    /// Cancelled when the process is told to stop.
    pub stop: CancellationToken,
}

type QueueImporter = Importer<Queue, SharedLedger>;

impl Shared {
    fn ledger(&self) -> Result<&SharedLedger, Problem> {
        self.ledger.get().ok_or_else(Problem::ledger_away)
    }

    fn importer(&self) -> Result<Arc<QueueImporter>, Problem> {
        let importer = self.importer.get();
        importer.cloned().ok_or_else(Problem::ledger_away)
    }

    fn acceptance(&self) -> Acceptance<SharedLedger> {
        Acceptance {
            spool: self.spool.clone(),
            ledger: self.ledger.clone(),
            arrivals: self.arrivals.clone(),
        }
    }
}

/// The routes of the API, its documentation, and the page for people. The
/// routes below `/v1` take requests with one of the tokens, the others take
/// all; none takes one that another website sends.
pub fn routes(shared: Shared, tokens: ApiTokens, hosts: AllowedHosts) -> Router {
    let is_open = tokens.is_open();
    let (v1, api) = OpenApiRouter::with_openapi(ApiDoc::openapi())
        .routes(routes!(upload::upload))
        .routes(routes!(preview::preview))
        .routes(routes!(import_list::list))
        .routes(routes!(imports::get, erase::erase))
        .routes(routes!(imports::cancel))
        .routes(routes!(imports::reconcile))
        .routes(routes!(reopen::reopen))
        .routes(routes!(events::events))
        .routes(routes!(rejections::rejections))
        .routes(routes!(reasons::reasons))
        .routes(routes!(results::results))
        .routes(routes!(slips::slips))
        .routes(routes!(boletos::boleto, readdress::readdress))
        .split_for_parts();
    v1.layer(from_fn_with_state(tokens, authenticate))
        .with_state(shared)
        .merge(docs_routes(api))
        .merge(page_routes())
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn_with_state(
            Visits { hosts, is_open },
            refuse_other_sites,
        ))
        .layer(from_fn(take_place))
        .layer(from_fn(linger))
}
