//! Keeps other websites out of a visitor's browser, which reaches what they do
//! not: they can send a form to any address, and give their own name the
//! address of this service (DNS rebinding) to read its answers.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use thiserror::Error;

use super::Problem;

/// What a browser says of who sends a request (Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names that the service is reached by, besides its addresses and
/// `localhost`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(Arc<[String]>);

/// A text is no list of host names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("name {number} of {of} is no host name")]
pub struct UnfitHost {
    number: usize,
    of: usize,
}

impl AllowedHosts {
    /// What a list of them looks like.
    pub const TAKES: &str = "host names without ports, separated by commas";

    /// Reads names that are separated by commas.
    ///
    /// # Errors
    /// The first that is no host name.
    pub fn parse(list: &str) -> Result<Self, UnfitHost> {
        let names: Vec<&str> = list.split(',').map(str::trim).collect();
        let is_fit = |name: &str| {
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !name.is_empty() && name.bytes().all(is_part)
        };
        if let Some(index) = names.iter().position(|name| !is_fit(name)) {
            return Err(UnfitHost {
                number: index + 1,
                of: names.len(),
            });
        }
        Ok(Self(
            names.into_iter().map(str::to_ascii_lowercase).collect(),
        ))
    }

    /// Whether a `Host` or an origin has one of these names.
    fn contain(&self, authority: &str) -> bool {
        let name = name_of(authority).to_ascii_lowercase();
        self.0.contains(&name)
    }

    /// Whether a `Host` is one that no other website can have given to the
    /// service: an address, `localhost`, or one of these names.
    fn admit(&self, authority: &str) -> bool {
        let name = name_of(authority);
        let address = name.trim_start_matches('[').trim_end_matches(']');
        address.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.contain(authority)
    }
}

/// What the layer below has to know.
#[derive(Clone, Debug)]
pub(super) struct Visits {
    /// Names of the service.
    pub(super) hosts: AllowedHosts,
    /// Without tokens whoever reaches the service may read from it.
    pub(super) is_open: bool,
}

/// A layer that refuses what another website asks for. It looks at nothing but
/// the head of the request; one that comes from no browser passes.
pub(super) async fn refuse_other_sites(
    State(visits): State<Visits>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    if visits.is_open && !values(headers, &header::HOST).all(|host| visits.hosts.admit(host)) {
        Problem::foreign_host().into_response()
    } else if is_unsafe(request.method()) && is_of_another_site(headers, &visits.hosts) {
        Problem::cross_site().into_response()
    } else {
        next.run(request).await
    }
}

/// Whether the method may change something (RFC 9110, section 9.2.1).
fn is_unsafe(method: &Method) -> bool {
    !matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    )
}

fn is_of_another_site(headers: &HeaderMap, hosts: &AllowedHosts) -> bool {
    let is_own = |site: &str| matches!(site, "same-origin" | "none");
    let is_host = |origin: &str| {
        let authority = origin
            .split_once("://")
            .map_or("", |(_, authority)| authority);
        hosts.contain(authority)
            || values(headers, &header::HOST).any(|host| host.eq_ignore_ascii_case(authority))
    };
    !values(headers, &SEC_FETCH_SITE).all(is_own) || !values(headers, &header::ORIGIN).all(is_host)
}

/// The values of a header; one that is no text is none that is known.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values.map(|value| value.to_str().unwrap_or_default())
}

/// A host without its port and the dot that may end it.
fn name_of(authority: &str) -> &str {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        lines.collect()
    }

    #[test]
    fn a_host_is_an_address_localhost_or_one_of_the_list() {
        let hosts = AllowedHosts::parse("billing.example.com, importer-api").unwrap();
        for host in [
            "127.0.0.1",
            "127.0.0.1:8000",
            "10.1.2.3:8000",
            "[::1]:8000",
            "[::1]",
            "localhost",
            "LOCALHOST:8000",
            "localhost.:8000",
            "importer-api:8000",
            "Billing.Example.com",
        ] {
            assert!(hosts.admit(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "x.billing.example.com",
            "127.0.0.1@evil.example",
        ] {
            assert!(!hosts.admit(host), "{host}");
        }
        let unfit = UnfitHost { number: 2, of: 2 };
        for list in ["a,", "a,b:8000", "a,http://b", "a,*"] {
            assert_eq!(AllowedHosts::parse(list), Err(unfit));
        }
    }

    #[test]
    fn another_site_is_known_by_what_its_browser_says() {
        let hosts = AllowedHosts::parse("billing.example.com").unwrap();
        let host = ("host", "127.0.0.1:8000");
        for own in [
            &[host][..],
            &[host, ("sec-fetch-site", "same-origin")],
            &[host, ("sec-fetch-site", "none")],
            &[host, ("origin", "http://127.0.0.1:8000")],
            &[host, ("origin", "https://billing.example.com")],
            &[("host", "Localhost"), ("origin", "http://localhost")],
        ] {
            assert!(!is_of_another_site(&headers(own), &hosts), "{own:?}");
        }
        for other in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", ""),
            ("origin", "https://evil.example"),
            ("origin", "http://127.0.0.1:9000"),
            ("origin", "http://127.0.0.1"),
            ("origin", "null"),
            ("origin", ""),
        ] {
            assert!(
                is_of_another_site(&headers(&[host, other]), &hosts),
                "{other:?}"
            );
        }
    }
}
