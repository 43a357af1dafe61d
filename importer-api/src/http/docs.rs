use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// The OpenAPI document; the routes add themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "importer-api",
        description = "Upload a CSV of debts: each debt becomes exactly one boleto and one e-mail.",
        license(name = "MIT", identifier = "MIT")
    ),
    paths(super::boletos::pdf, health, ready, metrics),
    modifiers(&BearerTokens),
    tags(
        (name = "imports", description = "Files of debts"),
        (name = "boletos", description = "What debts were billed with"),
        (name = "operations", description = "For those who run the service"),
    )
)]
#[derive(Debug)]
pub struct ApiDoc;

/// The security scheme that the routes below `/v1` name `bearer`.
struct BearerTokens;

impl Modify for BearerTokens {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "One of the service's API_TOKENS; not needed where it has none",
            ))
            .build();
        api.components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// Whether the process is alive.
#[utoipa::path(
    get,
    path = "/health",
    tag = "operations",
    responses((status = 200, description = "It is", body = serde_json::Value, example = json!({"status": "ok"})))
)]
#[expect(dead_code, reason = "describes a route that all services share")]
fn health() {}

/// Whether what the process needs answers: Redis and SQS. Uploads are taken
/// even while they do not.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "operations",
    responses(
        (status = 200, description = "It does", body = serde_json::Value, example = json!({"status": "ready"})),
        (status = 503, description = "It does not; the header `Retry-After` says when to ask again", body = serde_json::Value, example = json!({"status": "waiting", "for": ["Redis", "SQS"]})),
    )
)]
#[expect(dead_code, reason = "describes a route that all services share")]
fn ready() {}

/// The metrics of the process in the Prometheus text format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain"))
)]
#[expect(dead_code, reason = "describes a route that all services share")]
fn metrics() {}
