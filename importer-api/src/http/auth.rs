//! Who may use the API: those who present one of its tokens.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

use super::Problem;

/// Fewest characters of a token.
const MIN_CHARACTERS: usize = 16;

/// The bearer tokens that the API takes (RFC 6750). With none the API is open.
///
/// Only their SHA-256 is kept, so nothing can print them; and what is
/// compared has one length and says nothing about a token.
#[derive(Clone, Default)]
pub struct ApiTokens(Arc<[[u8; 32]]>);

/// A text is no list of tokens. It does not tell the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("token {number} of {of} is too short, or has a character that a header cannot carry")]
pub struct UnfitToken {
    number: usize,
    of: usize,
}

impl ApiTokens {
    /// What a list of tokens looks like.
    pub const TAKES: &str =
        "tokens of 16 or more letters, digits or signs without blanks, separated by commas";

    /// Reads tokens that are separated by commas.
    pub fn parse(list: &str) -> Result<Self, UnfitToken> {
        let tokens: Vec<&str> = list.split(',').map(str::trim).collect();
        let is_fit = |token: &str| {
            token.len() >= MIN_CHARACTERS && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if let Some(index) = tokens.iter().position(|token| !is_fit(token)) {
            return Err(UnfitToken {
                number: index + 1,
                of: tokens.len(),
            });
        }
        Ok(Self(
            tokens.into_iter().map(|t| digest(t.as_bytes())).collect(),
        ))
    }

    /// Everybody may use the API.
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Who sends a request with this head; `None` if that may not.
    fn client(&self, headers: &HeaderMap) -> Option<Client> {
        if self.is_open() {
            return Some(Client(None));
        }
        let presented = digest(bearer(headers)?);
        self.have(presented).then_some(Client(Some(presented)))
    }

    /// Whether the digest is of one of these; takes as long whichever it is.
    fn have(&self, presented: [u8; 32]) -> bool {
        let found = self.0.iter().fold(Choice::from(0), |found, token| {
            found | token.ct_eq(&presented)
        });
        found.into()
    }
}

impl fmt::Debug for ApiTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiTokens({} hidden)", self.0.len())
    }
}

/// Whose request it is: the SHA-256 of the token that it presents; `None` where
/// the API is open.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Client(pub(super) Option<[u8; 32]>);

impl Client {
    /// Tells it from others, and nothing of its token; empty where the API is
    /// open.
    pub(super) fn name(&self) -> String {
        self.0
            .map_or_else(String::new, |token| hex::encode(&token[..8]))
    }
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// A layer that lets pass who presents a token, and tells the handlers as
/// [`Client`] who that is. It looks at nothing but the head of the request.
pub(super) async fn authenticate(
    State(tokens): State<ApiTokens>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(client) = tokens.client(request.headers()) else {
        return Problem::unauthorized().into_response();
    };
    request.extensions_mut().insert(client);
    next.run(request).await
}

/// The token of `Authorization: Bearer <token>`; the scheme's name may be in
/// any case (RFC 9110, section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: &str = "first-token-of-two, the+second/token==";

    #[test]
    fn a_token_is_one_of_the_list_and_no_other() {
        let tokens = ApiTokens::parse(TOKENS).unwrap();
        let has = |token: &[u8]| tokens.have(digest(token));
        assert!(has(b"first-token-of-two") && has(b"the+second/token=="));
        for other in ["", "first-token-of-tw", "first-token-of-two ", TOKENS] {
            assert!(!has(other.as_bytes()), "{other:?}");
        }
        assert!(!tokens.is_open() && ApiTokens::default().is_open());
    }

    #[test]
    fn an_unfit_token_is_told_by_its_place() {
        let unfit = |number, of| Err(UnfitToken { number, of });
        let parse = |list| ApiTokens::parse(list).map(|_| ());
        assert_eq!(parse("short"), unfit(1, 1));
        assert_eq!(parse("long-enough-token,"), unfit(2, 2));
        assert_eq!(parse("a token with blanks in it"), unfit(1, 1));
        assert_eq!(parse("um-token-não-ascii"), unfit(1, 1));
        assert_eq!(parse("exactly-16-chars"), Ok(()));
    }

    #[test]
    fn tokens_are_never_printed() {
        let tokens = ApiTokens::parse(TOKENS).unwrap();
        assert_eq!(format!("{tokens:?}"), "ApiTokens(2 hidden)");
    }

    #[test]
    fn the_scheme_may_be_in_any_case_and_must_be_bearer() {
        let token = |value: &str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            bearer(&headers).map(<[u8]>::to_vec)
        };
        assert_eq!(token("Bearer abc"), Some(b"abc".to_vec()));
        assert_eq!(token("bEARER  abc "), Some(b"abc".to_vec()));
        assert_eq!(token("Basic abc"), None);
        assert_eq!(token("Bearerabc"), None);
        assert_eq!(token("Bearer"), None);
    }
}
