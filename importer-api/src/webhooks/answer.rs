//! What a receiver's answer means.

use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The receiver has it.
    Delivered,
    /// The receiver wants no events any more.
    Gone,
    /// It is to be tried again.
    Failed {
        /// Why, for the log: nothing that the receiver wrote.
        why: String,
        /// The wait for which the receiver asked.
        wait: Option<Duration>,
    },
}

impl Answer {
    /// There was no answer.
    pub(super) fn none(why: impl Into<String>) -> Self {
        let why = why.into();
        Self::Failed { why, wait: None }
    }

    /// By its head. A redirect is not followed: it may lead anywhere.
    pub(super) fn of(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Self {
        match status {
            status if status.is_success() => Self::Delivered,
            StatusCode::GONE => Self::Gone,
            status => Self::Failed {
                why: format!("it answered {}", status.as_u16()),
                wait: matches!(
                    status,
                    StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
                )
                .then(|| retry_after(headers, now))
                .flatten(),
            },
        }
    }
}

/// Seconds, or a date.
/// <https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3>
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    date.duration_since(now).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: &str) -> Answer {
        let now = Timestamp::from_second(784_111_777).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        Answer::of(status.try_into().unwrap(), &headers, now)
    }

    #[test]
    fn success_is_delivered_and_gone_is_gone() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(answer(status, "5"), Answer::Delivered);
        }
        assert_eq!(answer(410, "5"), Answer::Gone);
    }

    #[test]
    fn the_wait_that_an_overloaded_receiver_asks_for_is_known() {
        let wait = |status, retry_after: &str| match answer(status, retry_after) {
            Answer::Failed { why, wait } => {
                assert_eq!(why, format!("it answered {status}"));
                wait
            }
            answer => panic!("{answer:?}"),
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait(429, " 120 "), seconds(120));
        assert_eq!(wait(503, "0"), seconds(0));
        assert_eq!(wait(503, "Sun, 06 Nov 1994 08:50:37 GMT"), seconds(60));
        // Over, or none
        assert_eq!(wait(503, "Sun, 06 Nov 1994 08:48:37 GMT"), None);
        assert_eq!(wait(429, "-1"), None);
        assert_eq!(wait(429, "soon"), None);
        for status in [301, 302, 307, 308, 400, 401, 403, 404, 500, 502] {
            assert_eq!(wait(status, "120"), None);
        }
    }
}
