use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::Problem;

/// What a browser may do for the documentation: load its own files and ask its
/// own service. Swagger UI writes styles into its elements, and its signs are
/// `data:` addresses.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The OpenAPI document, and the page that shows it.
pub(super) fn docs_routes(mut api: utoipa::openapi::OpenApi) -> Router {
    add_common_problems(&mut api);
    let config = Config::default()
        // Never one on the internet.
        .validator_url("none")
        // Without the bar that takes the address of another document.
        .use_base_layout()
        .try_it_out_enabled(true)
        .display_request_duration(true);
    Router::from(
        SwaggerUi::new("/docs")
            .url("/openapi.json", api)
            .config(config),
    )
    .layer(map_response(guarded))
}

async fn guarded(mut response: Response) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(headers);
    response
}

/// The OpenAPI document; the routes add themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "importer-api",
        description = include_str!("docs/introduction.md"),
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

/// What every route that may ask for a token answers besides its own: that
/// there was none, that another website asks, and an internal error.
fn add_common_problems(api: &mut utoipa::openapi::OpenApi) {
    let operations = api.paths.paths.values_mut().flat_map(|path| {
        [
            path.get.as_mut(),
            path.post.as_mut(),
            path.patch.as_mut(),
            path.delete.as_mut(),
        ]
    });
    for operation in operations.flatten().filter(|it| it.security.is_some()) {
        for (description, problem) in [
            (
                "The service has tokens, and the request none of them",
                Problem::unauthorized(),
            ),
            (
                "Another website sent the request, or the service is asked by a name that it does not know",
                Problem::cross_site(),
            ),
            (
                "Internal error; see the log for details",
                Problem::internal(),
            ),
        ] {
            let content = ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Problem")))
                .example(serde_json::to_value(&problem).ok())
                .build();
            let response = ResponseBuilder::new()
                .description(description)
                .content("application/problem+json", content)
                .build();
            let status = problem.status().as_str().to_owned();
            operation
                .responses
                .responses
                .insert(status, response.into());
        }
    }
}

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

/// Whether what the process needs answers: the ledger and SQS. Uploads are taken
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
